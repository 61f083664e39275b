"""Moves bytes between peers: libp2p behind one small interface. Knows no maths and no workload.

network          everything below, behind one object
events           what the network reports: messages and connections
wire             Codec: messages to bytes and back, with limits
other_versions   names the peers that run another version of Swarm
statistics       counters, and immutable snapshots of them
identity         the key of this peer, and the check of other peers' signatures
lock             one process per state folder, one process per port
addresses        ip:port, host:port and multiaddrs
addressbook      where other peers were last seen
dialer           opens connections
discovery        finds other peers and stays connected to them
direct_messages  messages from one peer to one other
blob_transfer    fetches and serves blobs by their digest
store            blobs as files, named by their digest
inbox            the bounded queue of events
streams          framed input and output on one stream
limits           how much one peer may ask of this one
libp2p_host      puts the parts of libp2p together
guards           libp2p's connections, hardened
framegate        checks each yamux frame before libp2p sees it
gossip           libp2p's pubsub, hardened
replay_window    which numbered messages of an author were seen before
kademlia         libp2p's distributed hash table, hardened
readahead        reads small frames together
lean             starts without the parts of libp2p that no peer uses
"""
