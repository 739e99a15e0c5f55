package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/clerkgate/clerkgate/internal/document"
)

// Reading is what the files of a document were when it was read: the document itself,
// and the files that its name_file keys refer to. It tells whether one of them has
// changed since, and holds none of their content. The zero value is of no document.
type Reading struct {
	files []fileRead // the document first
}

// fileRead is one file of a reading.
type fileRead struct {
	name string
	sum  [sha256.Size]byte // of the content, or of why there was none
	ok   bool
}

// LoadFile is the function [LoadFile], and records the files that it reads, also those of
// a document that is not valid.
func (r *Reading) LoadFile(path string, further ...Further) (config *Config, findings []Finding, err error) {
	r.files = nil
	return loadFile(path, r.read, further)
}

// ReadFiles reads a document for its files alone, and checks nothing.
func ReadFiles(path string) *Reading {
	r := new(Reading)
	if data, err := r.read(path); err == nil {
		_, _ = document.Load(path, data, new(Config), document.Options{ReadFile: r.read})
	}
	return r
}

// read reads a file and records it.
func (r *Reading) read(name string) ([]byte, error) {
	data, err := document.ReadFile(name)
	f := fileRead{name: name, ok: err == nil}
	if f.ok {
		f.sum = sha256.Sum256(data)
	} else {
		f.sum = sha256.Sum256([]byte(err.Error()))
	}
	r.files = append(r.files, f)
	return data, err
}

// Again returns a reading of the same files as they are now.
func (r *Reading) Again() *Reading {
	now := new(Reading)
	for _, f := range r.files {
		_, _ = now.read(f.name) // an error is recorded
	}
	return now
}

// Equal reports whether two readings are of the same files with the same content.
func (r *Reading) Equal(other *Reading) bool { return slices.Equal(r.files, other.files) }

// Complete reports whether all files could be read.
func (r *Reading) Complete() bool {
	return !slices.ContainsFunc(r.files, func(f fileRead) bool { return !f.ok })
}

// Since returns the names of the files that are not as they were in an earlier reading.
func (r *Reading) Since(earlier *Reading) []string {
	names := []string{}
	for _, f := range r.files {
		if !slices.Contains(earlier.files, f) && !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}

// shortHash is how many hexadecimal digits of a hash are for people: no two documents that
// one of them wrote share them.
const shortHash = 12

// Hash returns the first twelve digits of the SHA-256 of the document, as sha256sum
// writes them; "" if it could not be read. Files that the document refers to are not in
// it: they hold secrets, and nothing about those is shown.
func (r *Reading) Hash() string {
	if len(r.files) == 0 || !r.files[0].ok {
		return ""
	}
	return hex.EncodeToString(r.files[0].sum[:])[:shortHash]
}

// Sum returns a SHA-256, in hexadecimal, of all files.
func (r *Reading) Sum() string {
	all := sha256.New()
	for _, f := range r.files {
		all.Write(f.sum[:])
	}
	return hex.EncodeToString(all.Sum(nil))
}
