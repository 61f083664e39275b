"""Moves bytes between peers: libp2p behind one small interface. Knows no maths and no federation.

identity     who we are, and who signed what
lock         one process per state folder and port
addresses    ip:port, host:port, multiaddr
addressbook  where peers were last seen
store        blobs as content-addressed files
statistics   counters and snapshots
events       what the network reports
inbox        the bounded queue of events
guards       libp2p's connections, hardened
framegate    checks every yamux frame
readahead    small frames are received together
gossip       pubsub, hardened
replays      which published messages were seen before
limits       how much one peer may ask of us
kademlia     the DHT, hardened
host         how they are put together
streams      framed input and output on one stream
dialer       opens connections
discovery    finds peers and stays connected
messages     direct messages
blobs        blobs by hash
wire         the codec of messages
network      all of it behind one object
"""
