package testprocess

import (
	"net"
	"testing"
)

// Hundreds of addresses at a time are all different, and all can be listened on.
// Those of a test that has ended can be had again.
func TestAnAddressIsGivenOnce(t *testing.T) {
	const many = 500
	seen := map[string]bool{}
	t.Run("while the test runs", func(t *testing.T) {
		for range many {
			address := Address(t)
			if seen[address] {
				t.Fatalf("%s was given before", address)
			}
			seen[address] = true
			listener, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			listener.Close()
			if isFree(address) {
				t.Fatalf("%s could be given again", address)
			}
		}
	})
	for address := range seen {
		if !isFree(address) {
			t.Errorf("%s is still taken", address)
		}
	}
}

func isFree(address string) bool {
	claim, err := claim(address)
	if err != nil {
		return false
	}
	claim.Close()
	return true
}
