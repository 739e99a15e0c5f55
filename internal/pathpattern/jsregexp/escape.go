package jsregexp

// atomEscape reads a backslash and what it escapes, outside a class.
func (p *parser) atomEscape() *node {
	p.pos++
	u := p.at(0)
	if u == 'k' && p.hasNames {
		p.pos++
		return p.namedBackref()
	}
	if '1' <= u && u <= '9' {
		if n := p.backref(); n != nil {
			return n
		}
	}
	if s, ok := p.classEscape(); ok {
		return &node{op: opSet, set: s}
	}
	return p.unit(p.characterEscape(false))
}

// classEscape reads the letter of \d, \s, \w or their opposites.
func (p *parser) classEscape() (set, bool) {
	var s set
	switch p.at(0) {
	case 'd':
		s = digits
	case 'D':
		s = digits.negate()
	case 's':
		s = spaces
	case 'S':
		s = spaces.negate()
	case 'w':
		s = wordUnits
	case 'W':
		s = wordUnits.negate()
	default:
		return nil, false
	}
	p.pos++
	return s, true
}

// characterEscape reads what stands for one code unit after a backslash. Without
// flag u, what means nothing means itself.
func (p *parser) characterEscape(inClass bool) rune {
	u := p.at(0)
	p.pos++
	switch u {
	case -1:
		p.fail("a backslash at the end")
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	case 'c':
		return p.control(inClass)
	case 'x':
		return p.hex('x', 2)
	case 'u':
		return p.hex('u', 4)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		p.pos--
		return p.octal()
	case 'k':
		if p.hasNames {
			p.fail("\\k in a class, where a group has a name")
		}
	}
	return u
}

// control reads the letter after \c. When it is none, the backslash stands for
// itself and the c is next.
func (p *parser) control(inClass bool) rune {
	u := p.at(0)
	letter := 'a' <= u|0x20 && u|0x20 <= 'z'
	if letter && u < 0x80 || inClass && ('0' <= u && u <= '9' || u == '_') {
		p.pos++
		return u & 0x1F
	}
	p.pos--
	return '\\'
}

// hex reads n hexadecimal digits. When they are not there, the letter that
// announced them stands for itself.
func (p *parser) hex(letter rune, n int) rune {
	v := rune(0)
	for i := range n {
		d := hexDigit(p.at(i))
		if d < 0 {
			return letter
		}
		v = v<<4 | d
	}
	p.pos += n
	return v
}

func hexDigit(u rune) rune {
	switch {
	case '0' <= u && u <= '9':
		return u - '0'
	case 'a' <= u && u <= 'f':
		return u - 'a' + 10
	case 'A' <= u && u <= 'F':
		return u - 'A' + 10
	}
	return -1
}

// octal reads up to three digits, of a value below 256.
func (p *parser) octal() rune {
	v := rune(0)
	for i := 0; i < 3 && v < 32 && '0' <= p.at(0) && p.at(0) <= '7'; i++ {
		v = v<<3 | (p.at(0) - '0')
		p.pos++
	}
	return v
}
