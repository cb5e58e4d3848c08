package conform

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// asProgram says how this test's program behaves when it is driven.
const asProgram = "WAYMARK_CONFORM_PROGRAM"

const programID = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

// program is a target that can be driven, of which only the driving is real.
func program(how string) int {
	if how == "ends" {
		return 1
	}
	fmt.Println("a line that is not of the language")
	fmt.Printf("{\"event\":\"ready\",\"peerId\":%q,\"addrs\":[\"/ip4/127.0.0.1/tcp/1/p2p/%s\"]}\n", programID, programID)
	in := bufio.NewScanner(os.Stdin)
	for n := 1; in.Scan(); n++ {
		switch how {
		case "answers":
			fmt.Printf("{\"id\":%d,\"ok\":true,\"ms\":1,\"result\":{\"peers\":[%q,\"nobody\"],\"value\":\"hi\",\"valueB64\":\"aGk=\"}}\n", n, programID)
		case "refuses":
			fmt.Printf("{\"id\":%d,\"ok\":false,\"error\":\"no such thing\"}\n", n)
		case "dies":
			return 3
		}
	}
	return 0
}

func startProgram(t *testing.T, how string) (*Program, error) {
	t.Helper()
	t.Setenv(asProgram, how)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return StartProgram(t.Context(), self, io.Discard)
}

func TestAProgramIsDriven(t *testing.T) {
	p, err := startProgram(t, "answers")
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

func TestAProgramThatFailsIsHeard(t *testing.T) {
	p, err := startProgram(t, "refuses")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Get(t.Context(), nil); err == nil || err.Error() != "no such thing" {
		t.Errorf("a refusal: %v", err)
	}
}

func TestAProgramThatIsMuteIsGivenUp(t *testing.T) {
	p, err := startProgram(t, "mute")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.Closest(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
}

func TestAProgramThatDiesIsNoticed(t *testing.T) {
	p, err := startProgram(t, "dies")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Closest(t.Context(), nil); err == nil {
		t.Error("the dead answered")
	}
	if err := p.Close(); err == nil {
		t.Error("it ended by itself, and nobody says so")
	}
}

func TestAProgramThatCannotRunIsSaid(t *testing.T) {
	for _, command := range []string{"", "./no-such-program --at all"} {
		if _, err := StartProgram(t.Context(), command, io.Discard); !errors.Is(err, ErrProgram) {
			t.Errorf("%q: %v", command, err)
		}
	}
	if _, err := startProgram(t, "ends"); !errors.Is(err, ErrProgram) {
		t.Errorf("one that ends at once: %v", err)
	}
}
