package jwt

import (
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// feature is one element of claim fea that the organization has.
type feature struct {
	name string
	// whole and sub are its places in the whole list, and among the
	// organization's features.
	whole, sub int
}

// unpackPermissions reads the permissions of a version 2 token. Each feature of
// the organization has a bit mask in fpm; bit i, the least significant first,
// grants permission i of per.
//
// Which mask belongs to which feature is clear where the list holds features of
// the organization alone. Otherwise the number of masks tells: as many as the
// whole list has, or as the organization has. Where it fits neither, only what
// both readings grant is granted. Clerk's own library always counts along the
// organization's features, and so does reference.
//
// The error is for a feature without a scope. Without per or fpm the result is
// empty.
func unpackPermissions(fea, per, fpm string, reference bool) ([]string, error) {
	features, total, err := organizationFeatures(fea)
	if err != nil {
		return nil, err
	}
	if per == "" || fpm == "" {
		return []string{}, nil
	}
	names, masks := splitTrimmed(per), splitTrimmed(fpm)
	bySub := grants(features, names, masks, func(f feature) int { return f.sub })
	if reference || total == len(features) || len(masks) == len(features) {
		return bySub, nil
	}
	byWhole := grants(features, names, masks, func(f feature) int { return f.whole })
	if len(masks) == total {
		return byWhole, nil
	}
	return slices.DeleteFunc(bySub, func(p string) bool { return !slices.Contains(byWhole, p) }), nil
}

// organizationFeatures returns the features in claim fea that the organization
// has, and how many there are in all.
func organizationFeatures(fea string) ([]feature, int, error) {
	if fea == "" {
		return nil, 0, nil
	}
	var features []feature
	elements := splitTrimmed(fea)
	for i, element := range elements {
		scope, name, ok := strings.Cut(element, ":")
		if !ok {
			return nil, 0, errors.New("claim fea has an element without a scope")
		}
		if scope == "o" || scope == "ou" || scope == "uo" {
			features = append(features, feature{name, i, len(features)})
		}
	}
	return features, len(elements), nil
}

// grants lists the permissions of each feature under the mask at its place.
func grants(features []feature, names, masks []string, place func(feature) int) []string {
	out := []string{}
	for _, f := range features {
		at := place(f)
		if at >= len(masks) {
			continue
		}
		mask, ok := parseMask(masks[at])
		if !ok {
			continue
		}
		for i, name := range names {
			if mask.Bit(i) == 1 {
				out = append(out, "org:"+f.name+":"+name)
			}
		}
	}
	return out
}

// parseMask reads a mask of decimal digits, of any size.
func parseMask(digits string) (*big.Int, bool) {
	if small, err := strconv.ParseUint(digits, 10, 64); err == nil {
		return new(big.Int).SetUint64(small), true
	}
	if strings.Trim(digits, "0123456789") != "" {
		return nil, false
	}
	return new(big.Int).SetString(digits, 10)
}

func splitTrimmed(list string) []string {
	parts := strings.Split(list, ",")
	for i, part := range parts {
		parts[i] = strings.TrimSpace(part)
	}
	return parts
}
