package caddyplugin

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/internal/document"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

// document returns the effective configuration: that of the file, or the inline one
// with the settings inherited from the app, and with Caddy's placeholders replaced.
func (h *Handler) document(ctx caddy.Context) (*setup.Config, error) {
	if h.File != "" {
		return h.load()
	}
	config := h.Config
	app, err := ctx.AppIfConfigured("clerk")
	switch {
	case err == nil:
		inherit(&config, app.(*App))
		h.Places.add(app.(*App).Places)
	case !errors.Is(err, caddy.ErrNotConfigured):
		return nil, err
	}
	h.fileWarnings = setup.FileWarnings(filesIn(&config))
	expanded, err := expand(config)
	return expanded, err
}

// load reads the document at File.
func (h *Handler) load() (*setup.Config, error) {
	if err := h.standsAlone(); err != nil {
		return nil, err
	}
	path, err := replaceGlobal(h.File)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	config, findings, err := setup.LoadFile(path)
	h.filePositions = map[string]document.Position{} // Provision logs the warnings
	for _, finding := range findings {
		h.filePositions[finding.Path] = finding.Position
		if finding.ID == policy.WarnFileWritable {
			h.fileWarnings = append(h.fileWarnings, finding.Warning)
		}
	}
	return config, err
}

// standsAlone returns an error where there are other settings beside a file.
func (h *Handler) standsAlone() error {
	if h.File != "" && !reflect.DeepEqual(h.Config, setup.Config{}) {
		return fmt.Errorf("the policy comes from %s; nothing else can be configured beside it", h.File)
	}
	return nil
}

// inherit fills in the settings that a handler does not have from the app.
func inherit(config *setup.Config, app *App) {
	if config.Clerk.PublishableKey == "" {
		own, shared := reflect.ValueOf(&config.Clerk).Elem(), reflect.ValueOf(app.Clerk)
		for i := range own.NumField() {
			if own.Field(i).IsZero() {
				own.Field(i).Set(shared.Field(i))
			}
		}
	}
	if reflect.ValueOf(config.Redis).IsZero() {
		config.Redis = app.Redis
	}
	if config.Revocation == (setup.Revocation{}) {
		config.Revocation = app.Revocation
	}
}
