// Package conformance holds the product against recorded decisions of Clerk's own
// server library: for every line of the vectors, the same input has to lead to the
// same answer. It has tests only.
//
// The vectors lie in testdata/vectors, one file for each family of questions, as
// manifest.json there says, and further ones in testdata/vectors-more: requests that
// once led to another answer, and a selection of random ones, put to the same
// library. CLERKGATE_VECTORS names another directory of the same form to judge
// instead:
//
//	CLERKGATE_VECTORS=/elsewhere go test -v ./internal/conformance
//
// Where Clerk's library can run (see internal/npmtest), requests with odd members,
// fields and answers are made and put to both, and to be made again by a seed.
//
// Lines tagged quirk hang on accidents of the reference's runtime. There the
// product may refuse what the reference grants, and never grant what it refuses.
// With -v each family prints one line that sums it up.
//
// It also holds the product against attacks: testdata/attacks as they were handed
// to us, and testdata/attacks-more, which are of the same form and were written to
// the same rules here. CLERKGATE_ATTACKS names another directory to judge instead.
package conformance
