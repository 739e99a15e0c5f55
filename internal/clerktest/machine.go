package clerktest

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The kinds of machine tokens.
const (
	apiKey     = "api_key"
	m2mToken   = "m2m_token"
	oauthToken = "oauth_token"
)

// Machine describes a machine token to be made.
type Machine struct {
	// Subject is user_... or org_... for an API key, mch_... for a machine,
	// user_... for an OAuth access token.
	Subject string
	// Name is an API key's.
	Name string
	// ClientID is the OAuth application's.
	ClientID string
	// Scopes are what it is for; a machine's are the machines it may call.
	Scopes []string
	// Audience is claim aud of an OAuth access token.
	Audience []string
	// Claims are the token's own.
	Claims map[string]any
	// ExpiresAt is when it ends. Zero: never, or in an hour for a JWT.
	ExpiresAt time.Time
}

// machineToken is an opaque token. Everything is guarded by Instance.mu.
type machineToken struct {
	Machine
	kind, id, secret string
	created          time.Time
	revoked          bool
}

// maxMachine bounds the tokens that are kept; the oldest go first.
const maxMachine = 1024

// CreateAPIKey makes an API key and returns its secret: ak_....
func (i *Instance) CreateAPIKey(m Machine) string { return i.createMachine(apiKey, "ak_", m) }

// CreateM2MToken makes an opaque machine-to-machine token: mt_....
func (i *Instance) CreateM2MToken(m Machine) string { return i.createMachine(m2mToken, "mt_", m) }

// CreateOAuthToken makes an opaque OAuth access token: oat_....
func (i *Instance) CreateOAuthToken(m Machine) string { return i.createMachine(oauthToken, "oat_", m) }

func (i *Instance) createMachine(kind, prefix string, m Machine) string {
	t := &machineToken{Machine: m, kind: kind, id: prefix + rand.Text(), secret: prefix + rand.Text() + rand.Text(), created: i.options.Now()}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.machine = append(i.machine, t)
	if len(i.machine) > maxMachine {
		i.machine = slices.Delete(i.machine, 0, len(i.machine)-maxMachine)
	}
	return t.secret
}

// machineEvents tell that a token was revoked. Nothing tells of OAuth access
// tokens.
var machineEvents = map[string]string{apiKey: "apiKey.revoked", m2mToken: "m2mToken.revoked"}

// RevokeMachineToken revokes an opaque token, named by its secret. It panics
// where there is none.
func (i *Instance) RevokeMachineToken(secret string) {
	err := i.change(func() ([]event, error) {
		t := i.machineBy(secret)
		if t == nil {
			return nil, errors.New("clerktest: there is no such machine token")
		}
		t.revoked = true
		if kind, ok := machineEvents[t.kind]; ok {
			return []event{{kind, t.object(i.options.Now())}}, nil
		}
		return nil, nil
	})
	if err != nil {
		panic(err)
	}
}

// machineBy finds a token. The caller holds the lock.
func (i *Instance) machineBy(secret string) *machineToken {
	at := slices.IndexFunc(i.machine, func(t *machineToken) bool {
		return subtle.ConstantTimeCompare([]byte(t.secret), []byte(secret)) == 1
	})
	if at < 0 {
		return nil
	}
	return i.machine[at]
}

// verifyMachine tells the holder of the secret key about a token of one kind.
func (i *Instance) verifyMachine(kind, parameter string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var asked map[string]any
		if !readJSON(w, r, &asked) {
			return
		}
		secret, _ := asked[parameter].(string)
		i.mu.RLock()
		defer i.mu.RUnlock()
		t := i.machineBy(secret)
		if t == nil || t.kind != kind || !i.options.FlagRevoked && (t.revoked || t.expired(i.options.Now())) {
			notFound(w, "token")
			return
		}
		writeJSON(w, http.StatusOK, t.object(i.options.Now()))
	}
}

func (t *machineToken) expired(now time.Time) bool {
	return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt)
}

// object is a token as it is verified. Times are in milliseconds, an OAuth
// token's in seconds.
func (t *machineToken) object(now time.Time) map[string]any {
	unit := time.Time.UnixMilli
	object := map[string]any{
		"object": "api_key", "id": t.id, "type": "api_key", "subject": t.Subject, "name": t.Name, "description": nil,
		"claims": nil, "scopes": append([]string{}, t.Scopes...), "revoked": t.revoked, "revocation_reason": nil,
		"expired": t.expired(now), "expiration": nil, "created_by": nil, "last_used_at": nil,
	}
	switch t.kind {
	case m2mToken:
		object["object"] = "machine_to_machine_token"
		delete(object, "type")
		delete(object, "name")
	case oauthToken:
		unit = time.Time.Unix
		object["object"], object["type"], object["client_id"] = "clerk_idp_oauth_access_token", "oauth:access_token", t.ClientID
		if len(t.Audience) > 0 {
			object["aud"] = t.Audience
		}
	}
	if len(t.Claims) > 0 {
		object["claims"] = t.Claims
	}
	if !t.ExpiresAt.IsZero() {
		object["expiration"] = unit(t.ExpiresAt)
	}
	object["created_at"], object["updated_at"] = unit(t.created), unit(t.created)
	return object
}

// MintM2M makes a machine-to-machine token in JWT form: nobody can revoke it.
func (i *Instance) MintM2M(m Machine, t Token) string {
	claims := i.machineClaims(m, t)
	claims["scopes"] = strings.Join(m.Scopes, " ")
	return i.mintAs(map[string]any{"typ": "JWT", "cat": categoryMachine}, claims, t)
}

// MintOAuth makes an OAuth access token in JWT form (RFC 9068).
func (i *Instance) MintOAuth(m Machine, t Token) string {
	claims := i.machineClaims(m, t)
	claims["client_id"], claims["scope"] = m.ClientID, strings.Join(m.Scopes, " ")
	if len(m.Audience) > 0 {
		claims["aud"] = m.Audience
	}
	return i.mintAs(map[string]any{"typ": "at+jwt"}, claims, t)
}

func (i *Instance) machineClaims(m Machine, t Token) map[string]any {
	claims := i.registered(m.Subject, t.Age, time.Hour)
	if !m.ExpiresAt.IsZero() {
		claims["exp"] = m.ExpiresAt.Unix()
	}
	override(claims, m.Claims)
	return claims
}
