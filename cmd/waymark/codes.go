package main

import "github.com/waymark-dht/waymark/internal/cli"

// code is one kind of trouble: its stable name, how the process ends with it,
// and what `waymark explain` says of it.
type code struct {
	name    string
	exit    int
	outcome string // of the result line; empty leaves the command's own
	title   string
	text    string
}

// codes is every code that the command can print. A code is never reused for
// something else; tests hold that each is used, explained and unique.
var codes = []code{
	{
		"WM-U001", cli.ExitUsage, "failed", "unknown command",
		"The first word after the global flags names a command. `waymark --help` lists\nthem.",
	},
	{
		"WM-U002", cli.ExitUsage, "failed", "unknown flag",
		"Each command has its own flags beside the global ones; `waymark COMMAND\n--help` lists both.",
	},
	{
		"WM-U003", cli.ExitUsage, "failed", "bad value for a flag",
		"The flag exists, but the value cannot be meant so. Values may come from the\ncommand line or from the environment variable WAYMARK_<FLAG>; the evidence\nsays from where.",
	},
	{
		"WM-U004", cli.ExitUsage, "failed", "wrong number of arguments",
		"The command wants other arguments than it was given. Its usage line stands in\nthe evidence.",
	},
	{
		"WM-U005", cli.ExitUsage, "failed", "unknown code",
		"`waymark explain` knows the codes that this version of the command prints.\n`waymark explain` alone lists them.",
	},
	{
		"WM-A001", cli.ExitUsage, "failed", "not the address of a peer",
		"A peer's address is a multiaddr that ends in the peer's ID:\n\n    /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…\n    /ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooW…\n    /dnsaddr/bootstrap.example.org\n\nThe ID is needed because Waymark talks only to the peer that it means: a\nmachine that holds another key is somebody else.",
	},
	{
		"WM-K001", cli.ExitUsage, "failed", "not a key",
		"A key is one of: a peer ID (12D3KooW…, Qm…), a CID (bafy…), a multihash in\nbase58, /namespace/name, the bytes themselves as hex:…, base64:… or text:…, or\nthe word random. Values have keys of the form /namespace/name; content is named\nby a CID or a multihash.",
	},
	{
		"WM-K002", cli.ExitUsage, "failed", "not a peer ID",
		"A peer ID is the hash of a peer's key: 12D3KooW… or Qm… in base58, or a CID of\nit (k51…, bafz…).",
	},
	{
		"WM-N001", cli.ExitFailed, "failed", "address in use",
		"Another program listens on the address that --listen names; it may be an older\nwaymark. Port 0 takes any free port.",
	},
	{
		"WM-N002", cli.ExitFailed, "failed", "cannot listen",
		"The system refused to listen on the address that --listen names: it may not be\nan address of this machine, or a port below 1024 without the right to it.",
	},
	{
		"WM-N003", cli.ExitUsage, "failed", "unknown network",
		"A network is the word amino (the public IPFS network), the word dev (the\none that `waymark serve --dev N` runs on this machine) or a TOML file:\n\n    protocol = \"/subspace/kad/0.1.0\"\n    seeds = [\"/ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…\"]\n    mode = \"client\"\n    namespaces = [\"note\"]\n\nAll but the seeds may be left out. The values of the namespaces that it names\nnobody signs; pk and ipns are always there.",
	},
	{
		"WM-N004", cli.ExitUsage, "failed", "bad network file",
		"The file was found, but is not what a network file may be. Keys: protocol,\nseeds, mode, namespaces.",
	},
	{
		"WM-N005", cli.ExitFailed, "failed", "the network file could not be written",
		"`waymark serve --dev` writes a file by which the other commands find its\nnetwork, into the user's folder for caches or into WAYMARK_DEV_DIR.",
	},
	{
		"WM-N006", cli.ExitUsage, "failed", "no development network is running",
		"--network dev is the network that `waymark serve --dev N` runs on this machine.\nIt is there as long as that command runs.",
	},
	{
		"WM-N007", cli.ExitFailed, "failed", "a development network runs already",
		"Another `waymark serve --dev` is running and answers; a second would take its\nnetwork file away. WAYMARK_DEV_DIR gives each network a folder of its own; the\nother commands find it by the same variable.",
	},
	{
		"WM-B001", cli.ExitUsage, "failed", "no seeds",
		"A node that knows nobody needs at least one peer to ask. Nothing was sent.",
	},
	{
		"WM-B002", cli.ExitNoPeers, "no-peers", "no seed answered",
		"Every seed was asked once, all at the same time, and none gave an answer\nwithin its deadline. The words say how far each got: refused (nobody listens\nthere), black-hole (the dial was never answered: a firewall, or the machine is\ngone), mute-handshake, wrong-peer (another key answers at the address),\nno-protocol (it is no member of this DHT), silent (it took the request and said\nnothing).",
	},
	{
		"WM-B003", cli.ExitDeadline, "partial-deadline", "bootstrap ran out of time",
		"The bootstrap ended at its bound, or at --timeout, with what it had until\nthen.",
	},
	{
		"WM-L001", cli.ExitNoPeers, "no-peers", "lookup reached nobody",
		"The lookup had nobody to ask, or nobody answered. It never reached the\nnetwork.",
	},
	{
		"WM-L002", cli.ExitDeadline, "partial-deadline", "lookup ran out of time",
		"The lookup ended at its bound, or at --timeout. The peers that it printed did\nanswer, but nearer ones may exist.",
	},
	{
		"WM-L003", cli.ExitNotFound, "not-found", "peer not found",
		"The lookup converged: the peers nearest to the ID were all asked, and none\nknows the peer. It may be offline, or a client, which others do not store.",
	},
	{
		"WM-P001", cli.ExitNoPeers, "no-peers", "peer did not answer",
		"The peer was dialled and asked, and no answer came within the deadline. The\nevidence says how far it got.",
	},
	{
		"WM-R001", cli.ExitBadRecord, "rejected", "unknown namespace",
		"The first part of a value's key names the rules by which everybody can tell a\nvalid value from a forged one. A value whose rules are not known is neither\nstored nor believed. Every network has pk and ipns; a network file can name\nothers, whose values nobody signs:\n\n    namespaces = [\"note\"]",
	},
	{
		"WM-R002", cli.ExitBadRecord, "rejected", "value not accepted",
		"The value is not valid under its key, too long, or older than one that is\nstored already. Nothing was stored.",
	},
	{
		"WM-R003", cli.ExitFailed, "failed", "no peer took the record",
		"The peers closest to the key were found and asked, and none acknowledged the\nrecord. The evidence says how some of them declined.",
	},
	{
		"WM-R004", cli.ExitNotFound, "not-found", "no value",
		"The lookup converged: the peers closest to the key were all asked, and none has\na valid value under it.",
	},
	{
		"WM-R005", cli.ExitNotFound, "not-found", "no providers",
		"The lookup converged: the peers closest to the content were all asked, and none\nknows a provider.",
	},
	{
		"WM-C001", cli.ExitNoPeers, "no-peers", "the crawl reached nobody",
		"The node joined the network, and then nobody answered it any more.",
	},
	{
		"WM-C002", cli.ExitDeadline, "partial-deadline", "the crawl ran out of time",
		"The crawl ended at its bound, or at --timeout. What it found until then is\nprinted, and with -o written; --resume goes on with it.",
	},
	{
		"WM-C003", cli.ExitNoPeers, "stalled", "the crawl is stuck",
		"So many calls into the network do not return by their deadline that no peer\ncould be asked any more. That is a defect of a transport or of Waymark.",
	},
	{
		"WM-C004", cli.ExitFailed, "failed", "the crawl's files could not be written",
		"The folder that -o names cannot be made or written to. Before the crawl nothing\nis sent; after it what it found is printed all the same.",
	},
	{
		"WM-C005", cli.ExitUsage, "failed", "no crawl to go on with",
		"--resume goes on with the crawl whose peers.ndjson is in the folder that -o\nnames. With --neighbors its edges.ndjson must be there too.",
	},
	{
		"WM-D001", cli.ExitFailed, "", "the demonstration broke a promise",
		"The demonstration checks the promises of Waymark on real hosts: outcome ready,\nwithin the bound that was printed before, nothing overdue, recall of at least\n0.95. One of them did not hold. That is a defect; please report it with the\ncommand line that is printed, which repeats the network.",
	},
	{
		"WM-D002", cli.ExitFailed, "failed", "the demonstration's network could not start",
		"The hosts on 127.0.0.1 could not be made. Often the limit on open files is too\nlow: each host needs about six. `ulimit -n` shows it.",
	},
	{
		"WM-D003", cli.ExitNoPeers, "no-peers", "the demonstration's network has no working peer",
		"With every peer faulty nobody can answer, and the node says so within its\nbound instead of waiting.",
	},
	{
		"WM-H001", cli.ExitUsage, "failed", "not a node that may be exercised",
		"`waymark conform` treats a node as broken and malicious peers do. It is for\nnodes that are yours: their address has to be loopback (127.0.0.0/8, ::1),\nlink-local (169.254.0.0/16, fe80::/10) or private (10.0.0.0/8, 172.16.0.0/12,\n192.168.0.0/16, fc00::/7). Names and relays are not taken, for they could lead\nanywhere.",
	},
	{
		"WM-H002", cli.ExitNoPeers, "no-peers", "the node to be exercised does not answer",
		"Before the first case the node is asked as anybody would: it has to take a\nconnection, speak the protocol and answer a FIND_NODE. It did not.",
	},
	{
		"WM-H003", cli.ExitFailed, "failed", "the node failed cases",
		"In a case that failed the node did not survive, did not answer an honest peer\nsoon afterwards, still held what a peer had left unfinished a minute before,\nkept others waiting, or did what no node may, such as to serve a record that is\nnot valid. The table says which.",
	},
	{
		"WM-H004", cli.ExitUsage, "failed", "unknown case",
		"`waymark conform --list` lists the cases and their groups. --only takes either.",
	},
	{
		"WM-H005", cli.ExitFailed, "failed", "the program cannot be driven",
		"--drive starts a program that runs a node and speaks JSON lines on its stdin\nand stdout. The first line out is\n\n    {\"event\":\"ready\",\"peerId\":…,\"addrs\":[…/p2p/…]}\n\nEach line in is {\"id\":1,\"op\":\"getClosestPeers\",\"keyB64\":…} or {\"id\":1,\"op\":\n\"get\",\"keyB64\":…}, and gets {\"id\":1,\"ok\":true,\"result\":{…}}.",
	},
	{
		"WM-M001", cli.ExitUsage, "failed", "unknown scenario",
		"`waymark sim run` knows the scenarios that `waymark sim ls` lists.",
	},
	{
		"WM-M002", cli.ExitFailed, "failed", "the simulation broke a promise",
		"Every scenario holds each engine to the guarantee after every step, and the\nnetwork to what the scenario states. One of these did not hold. That is a\ndefect; please report it with the command line that is printed, which repeats\nthe run.",
	},
	{
		"WM-M003", cli.ExitFailed, "failed", "the report or the record could not be written",
		"A file cannot be put where --report or --record says. That is tried before the\nrun begins; if the folder went away during the run, its figures are printed all\nthe same.",
	},
	{
		"WM-M004", cli.ExitUsage, "failed", "not a record",
		"`waymark sim replay` wants a file that `waymark sim run SCENARIO --record FILE`\nhas written, whole.",
	},
	{
		"WM-M005", cli.ExitUsage, "failed", "unknown configuration",
		"A configuration for `waymark sim compare` is waymark, go-like or rust-like,\nsettings (KEY=VALUE), or both, joined by commas:\n\n    waymark\n    waymark,alpha=3,paths=2\n    go-like,dial=15s",
	},
	{
		"WM-M006", cli.ExitFailed, "failed", "the run differs from the record",
		"One commit and one seed are one run, on every machine. A record tells by which\nversion and commit of the command it was written; another one may do things in\nanother order, and then its hash differs without anything being wrong.",
	},
	{
		"WM-S001", cli.ExitInterrupted, "cancelled", "interrupted",
		"The first ^C stops the command and prints what there was; a second ends the\nprocess at once.",
	},
	{
		"WM-S002", cli.ExitDeadline, "partial-deadline", "--timeout ended the command",
		"The time that --timeout gives covers the whole command, from its start. Without\nit every operation still ends, by the bound that it prints.",
	},
	{
		"WM-S003", cli.ExitFailed, "failed", "the answer could not be written",
		"Standard output took no more: a full disk, most often. A reader that left, as\n`head` does, is no error.",
	},
	{
		"WM-X001", cli.ExitFailed, "failed", "unexpected error",
		"An error that the command has no better words for. If the text does not help,\nplease report it.",
	},
}

// codeOf finds a code by its name.
func codeOf(name string) (code, bool) {
	for _, c := range codes {
		if c.name == name {
			return c, true
		}
	}
	return code{}, false
}

// trouble makes an error of a known kind.
func trouble(name, what string, seen, next []string) *cli.Trouble {
	c, known := codeOf(name)
	if !known {
		panic("no such code: " + name)
	}
	return &cli.Trouble{Code: name, What: what, Seen: seen, Next: next, Exit: c.exit, Outcome: c.outcome}
}
