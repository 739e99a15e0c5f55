// Package imagetest holds what is true of the images: it does what the Dockerfile
// says, step by step, and runs the result as a container runtime would, in a root
// folder of its own that nobody can write to, as a user without any right. It has
// tests only.
//
// The programs inside have network, mounts and host names of their own, for which the
// tests need to be root, or sudo without a password.
package imagetest
