<?php
// A script of its own, beside the front controller.
$script = 'report';
require __DIR__ . '/index.php';
