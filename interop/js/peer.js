// A js-libp2p peer that is driven by lines of JSON; interop/README.md has the
// language.
import { createInterface } from 'node:readline'

// Node 20 lacks it, and js-libp2p wants it.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new Promise((res, rej) => { resolve = res; reject = rej })
  return { promise, resolve, reject }
}

const { createLibp2p } = await import('libp2p')
const { tcp } = await import('@libp2p/tcp')
const { noise } = await import('@libp2p/noise')
const { yamux } = await import('@libp2p/yamux')
const { identify } = await import('@libp2p/identify')
const { ping } = await import('@libp2p/ping')
const { kadDHT, passthroughMapper } = await import('@libp2p/kad-dht')
const { multiaddr } = await import('@multiformats/multiaddr')
const { peerIdFromString } = await import('@libp2p/peer-id')
const { CID } = await import('multiformats/cid')
const { sha256 } = await import('multiformats/hashes/sha2')
const raw = await import('multiformats/codecs/raw')
const { ipnsValidator } = await import('ipns/validator')
const { ipnsSelector } = await import('ipns/selector')

const options = { protocol: '/ipfs/kad/1.0.0', client: false, listen: '/ip4/127.0.0.1/tcp/0', bootstrap: [] }
for (let args = process.argv.slice(2); args.length > 0;) {
  const a = args.shift()
  if (a === '--protocol') options.protocol = args.shift()
  else if (a === '--client') options.client = true
  else if (a === '--listen') options.listen = args.shift()
  else options.bootstrap.push(a)
}

const text = new TextDecoder()
const bytes = new TextEncoder()

function sequence (value) {
  const m = /^(\d+):/.exec(text.decode(value))
  if (m == null) throw new Error('not SEQ:PAYLOAD')
  return Number(m[1])
}

const node = await createLibp2p({
  addresses: { listen: [options.listen] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionManager: { inboundConnectionThreshold: 10_000, maxIncomingPendingConnections: 1000 },
  connectionGater: { denyDialMultiaddr: () => false },
  services: {
    identify: identify(),
    ping: ping(),
    dht: kadDHT({
      protocol: options.protocol,
      clientMode: options.client,
      peerInfoMapper: passthroughMapper,
      allowQueryWithZeroPeers: true,
      initialQuerySelfInterval: 3_600_000,
      querySelfInterval: 3_600_000,
      validators: { v: async (_, value) => { sequence(value) }, ipns: ipnsValidator },
      selectors: { v: (_, values) => values.reduce((best, v, i) => sequence(v) > sequence(values[best]) ? i : best, 0), ipns: ipnsSelector }
    })
  }
})
const dht = node.services.dht

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')
const addrs = () => node.getMultiaddrs().map(String)
const keyOf = (r) => r.peerId != null
  ? peerIdFromString(r.peerId).toMultihash().bytes
  : r.keyB64 != null ? new Uint8Array(Buffer.from(r.keyB64, 'base64')) : bytes.encode(r.key)
const content = async (r) => r.cid != null ? CID.parse(r.cid) : CID.createV1(raw.code, await sha256.digest(bytes.encode(r.key)))

async function collect (events, pick) {
  const out = []
  for await (const e of events) {
    const got = pick(e)
    if (got !== undefined) out.push(got)
  }
  return out
}

const ops = {
  id: async () => ({ peerId: node.peerId.toString(), addrs: addrs() }),
  connect: async (r, o) => ({ peerId: (await node.dial(multiaddr(r.addr), o)).remotePeer.toString() }),
  getClosestPeers: async (r, o) => {
    const peers = await collect(dht.getClosestPeers(keyOf(r), o), e => e.name === 'FINAL_PEER' ? e.peer.id.toString() : undefined)
    return { peers: [...new Set(peers)] }
  },
  findPeer: async (r, o) => {
    for await (const e of dht.findPeer(peerIdFromString(r.peerId), { ...o, useCache: false })) {
      if (e.name === 'FINAL_PEER') return { id: e.peer.id.toString(), addrs: e.peer.multiaddrs.map(String) }
    }
    throw new Error('not found')
  },
  put: async (r, o) => {
    const value = r.valueB64 != null ? new Uint8Array(Buffer.from(r.valueB64, 'base64')) : bytes.encode(r.value)
    const stored = await collect(dht.put(keyOf(r), value, o), e => e.name === 'PEER_RESPONSE' && e.messageName === 'PUT_VALUE' ? 1 : undefined)
    return { stored: stored.length }
  },
  get: async (r, o) => {
    const values = await collect(dht.get(keyOf(r), o), e => e.name === 'VALUE' ? e.value : undefined)
    if (values.length === 0) throw new Error('not found')
    const last = values[values.length - 1]
    return { value: text.decode(last), valueB64: Buffer.from(last).toString('base64') }
  },
  provide: async (r, o) => {
    const sent = await collect(dht.provide(await content(r), o), e => e.name === 'PEER_RESPONSE' && e.messageName === 'ADD_PROVIDER' ? 1 : undefined)
    return { sent: sent.length }
  },
  findProviders: async (r, o) => {
    const found = new Map()
    for await (const e of dht.findProviders(await content(r), { ...o, useCache: false })) {
      if (e.name !== 'PROVIDER') continue
      for (const p of e.providers) found.set(p.id.toString(), p.multiaddrs.map(String))
    }
    return { providers: [...found].map(([id, addrs]) => ({ id, addrs })) }
  },
  routingTableSize: async () => ({ size: dht.routingTable.size }),
  routingTable: async () => {
    const peers = []
    for (const p of dht.routingTable.kb.toIterable()) peers.push(p.peerId.toString())
    return { peers }
  },
  refresh: async (r, o) => { await dht.refreshRoutingTable(o); return { done: true } },
  setMode: async (r) => { await dht.setMode(r.mode); return {} }
}

async function answer (r) {
  const began = Date.now()
  try {
    if (ops[r.op] == null) throw new Error(`unknown op ${r.op}`)
    const result = await ops[r.op](r, { signal: AbortSignal.timeout(r.timeoutMs ?? 60_000) })
    say({ id: r.id, ok: true, ms: Date.now() - began, result })
  } catch (err) {
    say({ id: r.id, ok: false, ms: Date.now() - began, error: String(err?.message ?? err) })
  }
}

process.on('unhandledRejection', () => {})
say({ event: 'ready', peerId: node.peerId.toString(), addrs: addrs() })
for (const b of options.bootstrap) node.dial(multiaddr(b)).catch(() => {})
const lines = createInterface({ input: process.stdin })
lines.on('line', line => {
  try { answer(JSON.parse(line)) } catch (err) { say({ id: null, ok: false, error: String(err) }) }
})
lines.on('close', () => process.exit(0))
