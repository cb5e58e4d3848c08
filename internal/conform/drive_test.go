package conform

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/internal/drive"
)

// asProgram has this test be the program that is driven.
const asProgram = "WAYMARK_CONFORM_PROGRAM"

const programID = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

// program is a target that can be driven, of which only the driving is real.
func program() int {
	fmt.Printf("{\"event\":\"ready\",\"peerId\":%q,\"addrs\":[\"/ip4/127.0.0.1/tcp/1/p2p/%s\"]}\n", programID, programID)
	in := bufio.NewScanner(os.Stdin)
	for n := 1; in.Scan(); n++ {
		fmt.Printf("{\"id\":%d,\"ok\":true,\"ms\":1,\"result\":{\"peers\":[%q,\"nobody\"],\"value\":\"hi\",\"valueB64\":\"aGk=\"}}\n", n, programID)
	}
	return 0
}

func TestAProgramIsDriven(t *testing.T) {
	t.Setenv(asProgram, "yes")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := StartProgram(t.Context(), self, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := p.Closest(t.Context(), []byte("key"))
	want, _ := peer.Decode(programID)
	if err != nil || len(ids) != 1 || ids[0] != string(want) {
		t.Errorf("%q, %v", ids, err)
	}
	if value, err := p.Get(t.Context(), []byte("key")); err != nil || string(value) != "hi" {
		t.Errorf("%q, %v", value, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestACommandThatIsNoneIsSaid(t *testing.T) {
	for _, command := range []string{"", "./no-such-program --at all"} {
		if _, err := StartProgram(t.Context(), command, io.Discard); !errors.Is(err, drive.ErrNotDriven) {
			t.Errorf("%q: %v", command, err)
		}
	}
}
