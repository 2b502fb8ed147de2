// The node's side of the signer connection, as each version of CometBFT has it: its own listener, client, retries, ping
// loop, and sign bytes. It asks a real signer for everything that a node asks for, checks the answers with CometBFT's
// own code, and prints one JSON object a line. What differs from version to version is in version_*.go, chosen by build
// tags; the versions themselves are in v*.mod.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	prevote   = 1
	precommit = 2
)

// voteAsk is a vote to ask for. block 0: nil.
type voteAsk struct {
	kind      int
	height    int64
	round     int32
	block     byte
	time      time.Time
	extension []byte
	// extensions: whether the chain has them switched on.
	extensions bool
}

type proposalAsk struct {
	height   int64
	round    int32
	polRound int32
	block    byte
	time     time.Time
}

// node is the part of a version. Its answers were checked by that version's own code.
type node interface {
	// publicKey as the signer told it.
	publicKey() ([]byte, error)
	// vote returns the time that the signed vote has.
	vote(voteAsk) (time.Time, error)
	proposal(proposalAsk) error
	ping() error
	// signBytes: errNotThere before v1.
	signBytes([]byte) error
	// drop closes the connection from the node's side.
	drop()
}

var errNotThere = errors.New("this version does not have it")

// fixture is a request as this version sends it, without its length before it.
type fixture struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	// What is to be signed, as this version makes it.
	SignBytes          string `json:"signBytes,omitempty"`
	ExtensionSignBytes string `json:"extensionSignBytes,omitempty"`
}

const (
	chainID = "beam-privval-1"
	// types/vote.go MaxVoteExtensionSize
	extensionBytesMax = 1024 * 1024
	// A node waits 3 s for its signer at its start.
	connectMax = 3 * time.Second
	// Two thirds of the 5 s of a node's time-out: the ping loop's period; and some time more.
	idle = 3800 * time.Millisecond
	// A node that lost its signer asks again 50 times, 100 ms apart.
	againMax = 5 * time.Second
	// The same, and the start of a process on a busy machine.
	startMax = 20 * time.Second
)

var genesis = time.Date(2026, 11, 1, 12, 0, 0, 123456789, time.UTC)

func say(fields map[string]any) {
	line, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

type script struct {
	node   node
	failed bool
}

func (s *script) check(name string, err error) {
	fields := map[string]any{"check": name, "ok": err == nil}
	if err != nil {
		s.failed = true
		fields["error"] = err.Error()
	}
	say(fields)
}

// asked asks as a node does, which asks again after a refusal: before its first signature a signer must see the chain, and
// the machine may be too busy to show it in time.
func asked(act func() error) error {
	until := time.Now().Add(startMax)
	for {
		err := act()
		unseen := err != nil && (strings.Contains(err.Error(), "unvetted") ||
			strings.Contains(err.Error(), "too-late") || strings.Contains(err.Error(), "endpoint connection timed out"))
		if !unseen || time.Now().After(until) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *script) vote(name string, ask voteAsk) {
	s.check(name, asked(func() error {
		_, err := s.node.vote(ask)
		return err
	}))
}

func (s *script) proposal(name string, ask proposalAsk) {
	s.check(name, asked(func() error { return s.node.proposal(ask) }))
}

func refused(err error, code string) error {
	if err == nil {
		return fmt.Errorf("signed in place of refused with %s", code)
	}
	if !strings.Contains(err.Error(), code) {
		return fmt.Errorf("%q in place of a refusal with %s", err, code)
	}
	return nil
}

// timed: something that must have succeeded within a time.
func (s *script) timed(name string, max time.Duration, act func() error) {
	began := time.Now()
	err := act()
	took := time.Since(began)
	if err == nil && took > max {
		err = fmt.Errorf("took %v, more than %v", took, max)
	}
	fields := map[string]any{"check": name, "ok": err == nil, "ms": took.Milliseconds()}
	if err != nil {
		s.failed = true
		fields["error"] = err.Error()
	}
	say(fields)
}

func (s *script) run(want []byte) {
	n := s.node
	s.timed("the signer dials at once, and tells its key", connectMax, func() error {
		key, err := n.publicKey()
		if err == nil && !bytes.Equal(key, want) {
			err = fmt.Errorf("the key is %x in place of %x", key, want)
		}
		return err
	})
	if s.failed {
		return
	}
	at := func(second int) time.Time { return genesis.Add(time.Duration(second) * time.Second) }
	s.check("ping", n.ping())
	s.proposal("a proposal", proposalAsk{height: 1, polRound: -1, block: 1, time: at(1)})
	s.vote("a prevote", voteAsk{kind: prevote, height: 1, block: 1, time: at(1)})
	s.vote("a precommit", voteAsk{kind: precommit, height: 1, block: 1, time: at(1)})

	again, err := n.vote(voteAsk{kind: precommit, height: 1, block: 1, time: at(9)})
	if err == nil && !again.Equal(at(1)) {
		err = fmt.Errorf("it has the time %v in place of %v", again, at(1))
	}
	s.check("the same precommit later comes with its first time", err)
	_, err = n.vote(voteAsk{kind: precommit, height: 1, time: at(1)})
	s.check("another block at that position is refused", refused(err, "position-conflict"))
	_, err = n.vote(voteAsk{kind: prevote, height: 1, block: 1, time: at(1)})
	s.check("a position below is refused", refused(err, "position-below"))
	s.check("ping after refusals", n.ping())

	s.vote("a nil prevote", voteAsk{kind: prevote, height: 2, time: at(2)})
	s.vote("a nil precommit", voteAsk{kind: precommit, height: 2, time: at(2)})
	s.proposal("a proposal of a later round",
		proposalAsk{height: 2, round: 2, polRound: 1, block: 2, time: at(2)})
	s.vote("a prevote of a later round", voteAsk{kind: prevote, height: 2, round: 2, block: 2, time: at(2)})

	for index, size := range []int{0, 40, 2_000, 200_000, extensionBytesMax} {
		if !hasExtensions {
			break
		}
		height := int64(3 + index)
		s.vote(fmt.Sprintf("a precommit with an extension of %d bytes", size), voteAsk{
			kind: precommit, height: height, block: 3, time: at(int(height)),
			extension: bytes.Repeat([]byte{7}, size), extensions: true,
		})
	}
	if hasExtensions {
		s.vote("a nil precommit where extensions are on",
			voteAsk{kind: precommit, height: 8, time: at(8), extensions: true})
	}
	if err := n.signBytes([]byte("anything")); !errors.Is(err, errNotThere) {
		s.check("arbitrary bytes are never signed", refused(err, "arbitrary bytes are never signed"))
	}

	// Below, heights go on from 8, which every version may reach: a step of 2 needs nobody's word.
	height := int64(4)
	if hasExtensions {
		height = 9
	}
	next := func(name string, max time.Duration) {
		s.timed(name, max, func() error {
			return asked(func() error {
				_, err := n.vote(voteAsk{kind: prevote, height: height, block: 4, time: at(int(height))})
				return err
			})
		})
		height++
	}
	time.Sleep(idle)
	next("after a time with nothing but the node's own pings", time.Second)
	n.drop()
	next("after the node dropped the connection", againMax)

	say(map[string]any{"restart": true})
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		s.check("the signer is killed and started again", err)
		return
	}
	next("after the signer was killed and started again", startMax)
	s.vote("and the precommit", voteAsk{kind: precommit, height: height, block: 4, time: at(int(height))})
}

func main() {
	listen := flag.String("listen", "", "priv_validator_laddr")
	secret := flag.String("key-secret", "", "with tcp: what the listener's key is made of; none: a new one, as nodes do")
	key := flag.String("public-key", "", "the validator's, in base64")
	fixtures := flag.Bool("fixtures", false, "print requests as this version sends them")
	connectOnly := flag.Bool("connect-only", false, "only see whether a signer comes")
	flag.Parse()
	if *fixtures {
		out, err := json.MarshalIndent(requests(), "", "  ")
		if err != nil {
			panic(err)
		}
		fmt.Println(string(out))
		return
	}
	want, err := base64.StdEncoding.DecodeString(*key)
	if err != nil {
		panic(err)
	}
	n, err := newNode(*listen, *secret)
	if err != nil {
		say(map[string]any{"check": "listen", "ok": false, "error": err.Error()})
		os.Exit(1)
	}
	if *connectOnly {
		_, err := n.publicKey()
		say(map[string]any{"done": true, "connected": err == nil})
		return
	}
	s := &script{node: n}
	s.run(want)
	say(map[string]any{"done": true, "failed": s.failed})
	// Until the runner has looked at the signer: it dials again the moment that this process ends.
	_, _ = io.Copy(io.Discard, os.Stdin)
	if s.failed {
		os.Exit(1)
	}
}
