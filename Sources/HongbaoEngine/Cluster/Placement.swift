package import HongbaoCore

/// Where what concerns a person, or a packet, is to be done.
package enum Placement: Hashable, Sendable {
    case here
    /// By the node whose address this is, such as `http://10.0.0.7:8080`.
    case at(String)
    /// Nobody is known to hold the mint at present: soon somebody will.
    case nowhere
}

/// What a placement goes by.
package enum Concern: Hashable, Sendable {
    case person(PersonID)
    /// Only shown: a query node does that, too.
    case wallet(PersonID)
    case packet(RedPacketID)
    /// What is in the store alone: whoever has a mint can do it.
    case anybody
}
