package import HongbaoCore

/// Who waits for a share of which packet, who is let in, and whose turn it is (RP-6, RP-7).
///
/// A value without a clock, a lock or a store. The first who comes to a packet leads: carries out what all who wait
/// have asked for, in one transaction, and hands on to the first who came meanwhile. It's for speed only: what the
/// store holds is decided by the store (RP-8).
package struct LaneTable<Waiter: Sendable>: Sendable {
    package struct Limits: Hashable, Sendable {
        /// Claims of one packet that wait or are being carried out.
        package var waitingMax = 10_000
        /// Claims in one transaction.
        package var batchMax = 512
        /// Packets with claims that wait, at a time.
        package var lanesMax = 100_000
        /// Packets that nobody claims now and that are still remembered.
        package var idleMax = 20_000

        package init() {}
    }

    package enum Admission: Hashable, Sendable {
        /// Nobody is at work on this packet: lead, under this ticket.
        case lead(UInt64)
        /// The waiter will be resumed.
        case wait(UInt64)
        /// Too many are in already: ask again later.
        case tryLater
    }

    /// One claim, and who waits for what becomes of it; the leader waits for nothing.
    package struct Entry: Sendable {
        package let claimant: Claimant
        package let waiter: Waiter?
    }

    private struct Place: Sendable {
        let ticket: UInt64
        /// `nil` when whoever had this place has left.
        var entry: Entry?
    }

    private struct Lane: Sendable {
        /// In order of tickets.
        var line = Line<Place>()
        /// Leads now, or has just been told to.
        var leader: UInt64
        /// Taken out of the line and being carried out.
        var insideCount = 0
        private(set) var facts: PacketFacts?
        /// Of the packet as it is in `facts`.
        private(set) var gate: Int?

        init(leader: UInt64, facts: PacketFacts?) {
            self.leader = leader
            learn(facts)
        }

        mutating func learn(_ facts: PacketFacts?) {
            self.facts = facts
            gate = facts.flatMap { LaneTable.gate(sharesLeft: $0.packet.sharesLeft) }
        }

        /// Where the one with this ticket is in the line.
        func index(of ticket: UInt64) -> Int? {
            var (low, high) = (0, line.count)
            while low < high {
                let middle = (low + high) / 2
                if line[middle].ticket < ticket { low = middle + 1 } else { high = middle }
            }
            return low < line.count && line[low].ticket == ticket ? low : nil
        }
    }

    package let limits: Limits
    private var lanes: [RedPacketID: Lane] = [:]
    private var idle: RecentMap<RedPacketID, PacketFacts>
    private var nextTicket: UInt64 = 0

    package init(limits: Limits) {
        precondition(limits.waitingMax > 0 && limits.batchMax > 0 && limits.lanesMax > 0)
        self.limits = limits
        idle = RecentMap(capacity: max(2, limits.idleMax))
    }

    package var laneCount: Int { lanes.count }
    package var idleCount: Int { idle.count }

    /// How many may be in at a time, of a packet with so many shares left: half as many again (RP-7). When nothing is
    /// left everybody may hear it.
    package static func gate(sharesLeft: Int) -> Int? { sharesLeft == 0 ? nil : sharesLeft + (sharesLeft + 1) / 2 }

    /// - Parameter waiter: `nil` asks whether to lead only; then nothing is kept unless the answer is `lead`.
    package mutating func enter(_ packet: RedPacketID, _ claimant: Claimant, waiter: Waiter?) -> Admission {
        let ticket = nextTicket
        guard let index = lanes.index(forKey: packet) else {
            guard lanes.count < limits.lanesMax else { return .tryLater }
            nextTicket += 1
            var lane = Lane(leader: ticket, facts: idle.removeValue(forKey: packet))
            lane.line.append(Place(ticket: ticket, entry: Entry(claimant: claimant, waiter: nil)))
            lanes[packet] = lane
            return .lead(ticket)
        }
        // In place: this is done for each claim, and a lane that is copied takes its line along.
        let count = lanes.values[index].line.count + lanes.values[index].insideCount
        let gate = lanes.values[index].gate ?? limits.waitingMax
        guard let waiter, count < min(gate, limits.waitingMax) else { return .tryLater }
        nextTicket += 1
        lanes.values[index].line.append(Place(ticket: ticket, entry: Entry(claimant: claimant, waiter: waiter)))
        return .wait(ticket)
    }

    /// Whoever waits under this ticket doesn't want to any more. Answers who that was; `nil` when it's too late: then
    /// an answer is on its way, or this one leads.
    package mutating func leave(_ packet: RedPacketID, ticket: UInt64) -> Waiter? {
        guard let index = lanes.index(forKey: packet), lanes.values[index].leader != ticket,
            let place = lanes.values[index].index(of: ticket)
        else { return nil }
        let waiter = lanes.values[index].line[place].entry?.waiter
        lanes.values[index].line[place].entry = nil
        return waiter
    }

    /// What is known of a packet before its next claims, for who leads it.
    package func facts(of packet: RedPacketID) -> PacketFacts? { lanes[packet]?.facts }

    /// Takes note of what a packet is like, once its leader knows; answers those who came before that was known and are
    /// too many for its gate.
    package mutating func learn(_ facts: PacketFacts, of packet: RedPacketID) -> [Waiter] {
        guard var lane = lanes.removeValue(forKey: packet) else { preconditionFailure("a leader without a lane") }
        lane.learn(facts)
        var turnedAway: [Waiter] = []
        if let gate = lane.gate {
            var kept = 0
            for place in lane.line.take(lane.line.count) {
                guard let entry = place.entry else { continue }
                if kept < gate || place.ticket == lane.leader {
                    kept += 1
                    lane.line.append(place)
                } else if let waiter = entry.waiter {
                    turnedAway.append(waiter)
                }
            }
        }
        lanes[packet] = lane
        return turnedAway
    }

    /// The claims to be carried out now, the leader's first.
    package mutating func takeBatch(of packet: RedPacketID) -> [Entry] {
        guard var lane = lanes.removeValue(forKey: packet) else { preconditionFailure("a leader without a lane") }
        var batch: [Entry] = []
        batch.reserveCapacity(min(limits.batchMax, lane.line.count))
        while batch.count < limits.batchMax, lane.line.count > 0 {
            for place in lane.line.take(limits.batchMax - batch.count) {
                if let entry = place.entry { batch.append(entry) }
            }
        }
        lane.insideCount = batch.count
        lanes[packet] = lane
        return batch
    }

    /// The batch is over. Answers who leads next; without anybody the packet is idle from now on.
    ///
    /// - Parameter facts: how the packet is now; `nil` when that isn't known or nothing that can be kept.
    package mutating func finish(_ packet: RedPacketID, facts: PacketFacts?) -> Waiter? {
        guard var lane = lanes.removeValue(forKey: packet) else { preconditionFailure("a leader without a lane") }
        lane.insideCount = 0
        while lane.line.count > 0 {
            let place = lane.line.take(1)[0]
            guard let entry = place.entry else { continue }
            lane.learn(facts)
            lane.leader = place.ticket
            lane.line.putBack(Place(ticket: place.ticket, entry: Entry(claimant: entry.claimant, waiter: nil)))
            lanes[packet] = lane
            return entry.waiter
        }
        if var facts, limits.idleMax > 0 {
            facts.shares.forgetDraws()
            idle.insert(facts, for: packet)
        }
        return nil
    }
}

/// What an instance remembers of a packet: as it was last seen, and shares computed ahead. Others may have claimed
/// since.
package struct PacketFacts: Sendable {
    package var packet: RedPacket
    package var shares: SharesAhead

    package init(packet: RedPacket, shares: SharesAhead) {
        self.packet = packet
        self.shares = shares
    }

    /// Whether a claim at this time could be given a share, as far as is known.
    package func mayBeClaimed(at now: Timestamp) -> Bool { packet.isClaimable(at: now) }
}

extension RedPacket {
    package func isClaimable(at now: Timestamp) -> Bool {
        state == .published && expiresAt.map { now < $0 } ?? false
    }
}

/// The shares of some positions that come next, computed before the transaction that gives them away: the store's one
/// writer has better things to do.
package struct SharesAhead: Sendable {
    private let split: Split
    private let draws: KeyedDraws
    private var first = 0
    private var shares: [Amount] = []
    /// As long as many are claimed at a time.
    private var drawn: Split.Drawn?
    /// From that many shares at a time on, what was drawn is kept.
    private static let manyMin = 16

    package init(_ split: Split, _ draws: KeyedDraws) {
        self.split = split
        self.draws = draws
    }

    /// Sees to it that so many shares from this position on are known, as far as there are so many.
    package mutating func prepare(from position: Int, count: Int) {
        let end = min(position + count, split.count)
        guard position < end else { return }
        if position < first || position > first + shares.count {
            (first, shares) = (position, [])
        } else {
            shares.removeFirst(position - first)
            first = position
        }
        guard first + shares.count < end else { return }
        if drawn == nil, count >= Self.manyMin { drawn = Split.Drawn(split) }
        if var drawn = drawn.take() {
            while first + shares.count < end { shares.append(split.share(at: first + shares.count, draws, &drawn)) }
            self.drawn = drawn
        } else {
            while first + shares.count < end { shares.append(split.share(at: first + shares.count, draws)) }
        }
    }

    /// Makes it small: nobody claims the packet for now.
    package mutating func forgetDraws() { drawn = nil }

    package func share(at position: Int) -> Amount {
        let index = position - first
        return shares.indices.contains(index) ? shares[index] : split.share(at: position, draws)
    }
}
