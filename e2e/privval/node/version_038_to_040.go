//go:build v038 || v039 || v040

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/privval"
	pvproto "github.com/cometbft/cometbft/proto/tendermint/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

const hasExtensions = true

type cometNode struct {
	endpoint *privval.SignerListenerEndpoint
	client   *privval.SignerClient
	retrying *privval.RetrySignerClient
	key      crypto.PubKey
}

// listenerPrivKey is the key whose seed is the secret's SHA-256.
func listenerPrivKey(secret string) ed25519.PrivKey {
	return ed25519.GenPrivKeyFromSecret([]byte(secret))
}

// newNode as node/setup.go has it; with a secret, a listener whose key lasts, which no stock node has.
func newNode(laddr, secret string) (node, error) {
	var endpoint *privval.SignerListenerEndpoint
	if secret == "" {
		var err error
		if endpoint, err = privval.NewSignerListener(laddr, log.NewNopLogger()); err != nil {
			return nil, err
		}
	} else {
		listener, err := net.Listen("tcp", strings.TrimPrefix(laddr, "tcp://"))
		if err != nil {
			return nil, err
		}
		endpoint = privval.NewSignerListenerEndpoint(
			log.NewNopLogger(), privval.NewTCPListener(listener, listenerPrivKey(secret)))
	}
	client, err := privval.NewSignerClient(endpoint, chainID)
	if err != nil {
		return nil, err
	}
	return &cometNode{
		endpoint: endpoint,
		client:   client,
		retrying: privval.NewRetrySignerClient(client, 50, 100*time.Millisecond),
	}, nil
}

func (n *cometNode) publicKey() ([]byte, error) {
	// Not through the retrying client: a node's first question is asked once.
	key, err := n.client.GetPubKey()
	if err != nil {
		return nil, err
	}
	n.key = key
	return key.Bytes(), nil
}

func blockID(block byte) types.BlockID {
	if block == 0 {
		return types.BlockID{}
	}
	hash := sha256.Sum256([]byte{block})
	parts := sha256.Sum256([]byte{block, block})
	return types.BlockID{Hash: hash[:], PartSetHeader: types.PartSetHeader{Total: 3, Hash: parts[:]}}
}

func newVote(ask voteAsk, address []byte) *types.Vote {
	return &types.Vote{
		Type:             cmtproto.SignedMsgType(ask.kind),
		Height:           ask.height,
		Round:            ask.round,
		BlockID:          blockID(ask.block),
		Timestamp:        ask.time,
		ValidatorAddress: address,
		ValidatorIndex:   7,
		Extension:        ask.extension,
	}
}

func newProposal(ask proposalAsk) *types.Proposal {
	return &types.Proposal{
		Type:      cmtproto.ProposalType,
		Height:    ask.height,
		Round:     ask.round,
		POLRound:  ask.polRound,
		BlockID:   blockID(ask.block),
		Timestamp: ask.time,
	}
}

func (n *cometNode) vote(ask voteAsk) (time.Time, error) {
	vote := newVote(ask, n.key.Address())
	if _, err := types.SignAndCheckVote(vote, n.retrying, chainID, ask.extensions); err != nil {
		return time.Time{}, err
	}
	var err error
	if ask.extensions && ask.block != 0 {
		err = vote.VerifyVoteAndExtension(chainID, n.key)
	} else {
		err = vote.Verify(chainID, n.key)
	}
	return vote.Timestamp, err
}

func (n *cometNode) proposal(ask proposalAsk) error {
	proposal := newProposal(ask)
	signed := proposal.ToProto()
	if err := n.retrying.SignProposal(chainID, signed); err != nil {
		return err
	}
	// A node takes the signature alone (consensus/state.go, defaultDecideProposal).
	if !n.key.VerifySignature(types.ProposalSignBytes(chainID, proposal.ToProto()), signed.Signature) {
		return errors.New("the proposal's signature does not verify")
	}
	return nil
}

func (n *cometNode) ping() error {
	// Not the client's own Ping, which tells no error.
	response, err := n.endpoint.SendRequest(pvproto.Message{Sum: &pvproto.Message_PingRequest{PingRequest: &pvproto.PingRequest{}}})
	if err != nil {
		return err
	}
	if response.GetPingResponse() == nil {
		return fmt.Errorf("%v in place of a pong", response)
	}
	return nil
}

func (n *cometNode) drop() { _ = n.client.Close() }

func (n *cometNode) signBytes([]byte) error { return errNotThere }

func encoded(message pvproto.Message) string {
	out, err := message.Marshal()
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(out)
}

func requests() []fixture {
	seed := sha256.Sum256([]byte("validator"))
	address := seed[:20]
	out := []fixture{
		{Name: "pubKey", Message: encoded(pvproto.Message{Sum: &pvproto.Message_PubKeyRequest{PubKeyRequest: &pvproto.PubKeyRequest{ChainId: chainID}}})},
		{Name: "ping", Message: encoded(pvproto.Message{Sum: &pvproto.Message_PingRequest{PingRequest: &pvproto.PingRequest{}}})},
	}
	proposal := func(name string, ask proposalAsk) {
		proto := newProposal(ask).ToProto()
		out = append(out, fixture{
			Name:      name,
			Message:   encoded(pvproto.Message{Sum: &pvproto.Message_SignProposalRequest{SignProposalRequest: &pvproto.SignProposalRequest{Proposal: proto, ChainId: chainID}}}),
			SignBytes: hex.EncodeToString(types.ProposalSignBytes(chainID, proto)),
		})
	}
	vote := func(name string, ask voteAsk) {
		proto := newVote(ask, address).ToProto()
		request := &pvproto.SignVoteRequest{Vote: proto, ChainId: chainID}

		made := fixture{
			Name:      name,
			Message:   encoded(pvproto.Message{Sum: &pvproto.Message_SignVoteRequest{SignVoteRequest: request}}),
			SignBytes: hex.EncodeToString(types.VoteSignBytes(chainID, proto)),
		}
		if ask.kind == precommit && ask.block != 0 && ask.extensions {
			made.ExtensionSignBytes = hex.EncodeToString(types.VoteExtensionSignBytes(chainID, proto))
		}
		out = append(out, made)
	}
	proposal("proposal", proposalAsk{height: 5, polRound: -1, block: 1, time: genesis})
	proposal("proposal of a later round", proposalAsk{height: 5_000_000_000, round: 3, polRound: 2, block: 2, time: genesis})
	vote("prevote", voteAsk{kind: prevote, height: 5, block: 1, time: genesis})
	vote("nil prevote", voteAsk{kind: prevote, height: 5, round: 1, time: genesis})
	vote("precommit", voteAsk{kind: precommit, height: 5, block: 1, time: genesis, extensions: hasExtensions})
	vote("nil precommit", voteAsk{kind: precommit, height: 5, round: 1, time: genesis, extensions: hasExtensions})
	vote("vote at a whole second", voteAsk{kind: prevote, height: 6, block: 1, time: genesis.Truncate(time.Second)})
	if hasExtensions {
		vote("precommit with an extension", voteAsk{
			kind: precommit, height: 5, block: 1, time: genesis, extension: []byte("prices"), extensions: true})
		vote("precommit while extensions are off", voteAsk{kind: precommit, height: 7, block: 1, time: genesis})
	}

	return out
}
