package compat

// Relaxations are the points on which Clerk's own library is more lenient than
// we are. The zero value relaxes nothing: it is the default.
type Relaxations struct {
	// Spelling: a token's segments may be empty or padded, so that one token
	// has several spellings.
	Spelling bool
	// JSON: members may repeat, text need not be UTF-8 and may begin with a
	// byte-order mark, nesting has no bound of ours.
	JSON bool
	// Header: critical, unencoded, compressed, encrypted and nested content is
	// not looked for, and an unknown key is reported before a bad header.
	Header bool
	// Algorithms: RS384 and RS512 verify under keys that name them.
	Algorithms bool
	// Keys: a key set's entries are taken as they come; the last of one kid
	// counts.
	Keys bool
	// Issuer: claim iss is not compared.
	Issuer bool
	// Times: claims exp, nbf and iat are cut to whole seconds and have no
	// range.
	Times bool
	// Audience: claim aud passes when it is neither text nor a list of texts.
	Audience bool
	// Claims: ids may hold any characters, known claims may have any shape.
	Claims bool
	// Permissions: masks are counted along the organization's features, even
	// where there are as many masks as features.
	Permissions bool
	// Credentials: a bare token counts, Bearer is case-sensitive, and session
	// cookies are chosen before they are verified.
	Credentials bool
	// Categories: a session that comes with a handshake or a refresh may be a
	// template token.
	Categories bool
	// Address: X-Forwarded-Host and X-Forwarded-Proto count from anybody, and a
	// target may name another host.
	Address bool
	// Bearers: a token of the Authorization field may lead to a handshake and be
	// refreshed, as one in a cookie.
	Bearers bool
	// Handshakes: a handshake is resolved for any request, in production from
	// the query too, however old it is; a nonce that yields nothing signs out; the
	// answer may be read by other origins.
	Handshakes bool
	// Loops: only exactly three handshakes in a row are too many, and the count
	// is kept for two seconds below the path.
	Loops bool
	// Returns: a primary sends browsers back to any address.
	Returns bool
	// Renewals: a refresh is asked for whatever session a cookie names, and takes
	// all fields of the request along.
	Renewals bool
	// Outages: that nobody can be told looks as signed out.
	Outages bool
}

// Of returns what a configuration relaxes: everything or nothing.
func Of(referenceCompat bool) Relaxations {
	if referenceCompat {
		return Reference
	}
	return Relaxations{}
}

// Reference relaxes every point: Clerk's own library to the letter.
var Reference = Relaxations{
	Spelling: true, JSON: true, Header: true, Algorithms: true, Keys: true, Issuer: true,
	Times: true, Audience: true, Claims: true, Permissions: true, Credentials: true,
	Categories: true, Address: true, Bearers: true, Handshakes: true, Loops: true, Returns: true, Renewals: true, Outages: true,
}
