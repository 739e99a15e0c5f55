package session

// relaxations are the points on which Clerk's own library is more lenient than
// we are. The zero value relaxes nothing: it is the default.
type relaxations struct {
	// spelling: a token's segments may be empty or padded, so that one token
	// has several spellings.
	spelling bool
	// json: members may repeat, text need not be UTF-8 and may begin with a
	// byte-order mark, nesting has no bound of ours.
	json bool
	// header: critical, unencoded, compressed, encrypted and nested content is
	// not looked for, and an unknown key is reported before a bad header.
	header bool
	// algorithms: RS384 and RS512 verify under keys that name them.
	algorithms bool
	// keys: a key set's entries are taken as they come; the last of one kid
	// counts.
	keys bool
	// issuer: claim iss is not compared.
	issuer bool
	// times: claims exp, nbf and iat are cut to whole seconds and have no
	// range.
	times bool
	// audience: claim aud passes when it is neither text nor a list of texts.
	audience bool
	// claims: ids may hold any characters, known claims may have any shape.
	claims bool
	// permissions: masks are counted along the organization's features, even
	// where there are as many masks as features.
	permissions bool
	// credentials: a bare token counts, Bearer is case-sensitive, and session
	// cookies are chosen before they are verified.
	credentials bool
	// categories: a session that comes with a handshake or a refresh may be a
	// template token.
	categories bool
	// address: X-Forwarded-Host and X-Forwarded-Proto count from anybody, and a
	// target may name another host.
	address bool
	// bearers: a token of the Authorization field may lead to a handshake and be
	// refreshed, as one in a cookie.
	bearers bool
	// handshakes: a handshake is resolved for any request, in production from
	// the query too, however old it is; a nonce that yields nothing signs out; the
	// answer may be read by other origins.
	handshakes bool
	// loops: only exactly three handshakes in a row are too many, and the count
	// is kept for two seconds below the path.
	loops bool
	// returns: a primary sends browsers back to any address.
	returns bool
	// renewals: a refresh is asked for whatever session a cookie names, and takes
	// all fields of the request along.
	renewals bool
	// outages: that nobody can be told looks as signed out.
	outages bool
}

// reference relaxes every point: Clerk's own library to the letter.
var reference = relaxations{
	spelling: true, json: true, header: true, algorithms: true, keys: true, issuer: true,
	times: true, audience: true, claims: true, permissions: true, credentials: true,
	categories: true, address: true, bearers: true, handshakes: true, loops: true, returns: true, renewals: true, outages: true,
}

// relaxed returns what the configuration relaxes.
func (c Config) relaxed() relaxations {
	if c.ReferenceCompat {
		return reference
	}
	return relaxations{}
}
