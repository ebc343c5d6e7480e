import HongbaoCore
import HongbaoEngine

// Red packets, claims and refunds in rows, in the order of columns of `Query+Packets`.
extension PreparedStatement {
    func bind(_ key: SendKey) {
        bind(1, bits: key.sender.rawValue)
        bind(2, Int64(key.book.rawValue))
        bind(3, text: key.id)
    }

    @inline(__always)
    func bind(_ key: ClaimKey) {
        bind(1, bits: key.person.rawValue)
        bind(2, bits: key.packet.rawValue)
    }

    func bindNew(_ packet: RedPacket) {
        bind(1, bits: packet.id.rawValue)
        bind(2, bits: packet.key.sender.rawValue)
        bind(3, Int64(packet.key.book.rawValue))
        bind(4, text: packet.key.id)
        bind(5, Int64(packet.kind.rawValue))
        bind(6, Int64(packet.split.kind.rawValue))
        bind(7, packet.split.amount.fen)
        bind(8, Int64(packet.split.count))
        bind(9, packet.scope.number)
        bind(10, packet.createdAt.milliseconds)
        bind(11, bytes: packet.seal.commitment)
        bind(12, bytes: packet.seal.sealedSeed)
        bind(13, text: packet.cover.greeting)
        bind(14, text: packet.cover.video)
        bind(15, bytes: packet.scope.listedBytes)
        bindProgress(packet, from: 16)
    }

    func bindChanged(_ packet: RedPacket) {
        bindProgress(packet, from: 1)
        bind(15, bits: packet.id.rawValue)
    }

    private func bindProgress(_ packet: RedPacket, from first: Int32) {
        bind(first, Int64(packet.state.rawValue))
        bind(first + 1, packet.funding.map { Int64(bitPattern: $0.high) })
        bind(first + 2, packet.funding.map { Int64(bitPattern: $0.low) })
        bind(first + 3, packet.publishedAt?.milliseconds)
        bind(first + 4, packet.expiresAt?.milliseconds)
        bind(first + 5, packet.closedAt?.milliseconds)
        bind(first + 6, packet.claimed.fen)
        bind(first + 7, Int64(packet.claimedCount))
        bind(first + 8, packet.luckiest.map { Int64($0.position) })
        bind(first + 9, packet.luckiest?.share.fen)
        bind(first + 10, packet.transferred.fen)
        bind(first + 11, packet.refunded.fen)
        bind(first + 12, Int64(packet.attempts))
        bind(first + 13, packet.nextCheckAt.milliseconds)
    }

    @inline(__always)
    func bindNew(_ claim: Claim) {
        bind(1, bits: claim.key.packet.rawValue)
        bind(2, Int64(claim.position))
        bind(3, bits: claim.key.person.rawValue)
        bind(4, Int64(claim.book.rawValue))
        bind(5, Int64(claim.kind.rawValue))
        bind(6, claim.share.fen)
        bind(7, claim.at.milliseconds)
        bind(8, Int64(claim.state.rawValue))
        bind(9, Int64(claim.attempts))
        bind(10, claim.nextCheckAt.milliseconds)
        bind(11, claim.doneAt?.milliseconds)
    }

    @inline(__always)
    func bindChanged(_ claim: Claim) {
        bind(1, Int64(claim.state.rawValue))
        bind(2, Int64(claim.attempts))
        bind(3, claim.nextCheckAt.milliseconds)
        bind(4, claim.doneAt?.milliseconds)
        bind(5, bits: claim.key.packet.rawValue)
        bind(6, Int64(claim.position))
    }
}

extension PreparedStatement {
    func bindNew(_ refund: Refund) {
        bind(1, bits: refund.packet.rawValue)
        bind(2, Int64(refund.number))
        bind(3, bits: refund.person.rawValue)
        bind(4, Int64(refund.book.rawValue))
        bind(5, refund.amount.fen)
        bind(6, Int64(refund.reason.rawValue))
        bind(7, refund.createdAt.milliseconds)
        bind(8, Int64(refund.state.rawValue))
        bind(9, Int64(refund.attempts))
        bind(10, refund.nextCheckAt.milliseconds)
        bind(11, refund.finalAt?.milliseconds)
    }

    func bindChanged(_ refund: Refund) {
        bind(1, Int64(refund.state.rawValue))
        bind(2, Int64(refund.attempts))
        bind(3, refund.nextCheckAt.milliseconds)
        bind(4, refund.finalAt?.milliseconds)
        bind(5, bits: refund.packet.rawValue)
        bind(6, Int64(refund.number))
    }

    func refund() throws(StoreError) -> Refund {
        guard let reason = Refund.Reason(rawValue: try number(5)) else { throw unreadable(5) }
        guard let state = Refund.State(rawValue: try number(7)) else { throw unreadable(7) }
        return Refund(
            packet: try packetID(),
            number: try number(1),
            book: BookID(try number(3)),
            person: PersonID(bits(2)),
            amount: try amount(4),
            reason: reason,
            createdAt: time(6),
            state: state,
            attempts: try number(8),
            nextCheckAt: time(9),
            finalAt: timeIfAny(10)
        )
    }
}

extension PreparedStatement {
    /// The first column of all that belongs to a packet.
    private func packetID() throws(StoreError) -> RedPacketID {
        guard bits(0) > 0 else { throw unreadable(0) }
        return RedPacketID(bits(0))
    }

    func packet() throws(StoreError) -> RedPacket {
        guard let key = SendKey(sender: PersonID(bits(1)), book: BookID(try number(2)), id: text(3)) else {
            throw unreadable(3)
        }
        guard let kind = RedPacketKind(rawValue: try number(4)) else { throw unreadable(4) }
        guard let splitKind = SplitKind(rawValue: try number(5)) else { throw unreadable(5) }
        guard let split = Split(splitKind, amount: try amount(6), count: try number(7)) else { throw unreadable(6) }
        guard let scope = RecipientScope(number: integer(8), listed: bytes(14)) else { throw unreadable(8) }
        guard let cover = RedPacket.Cover(greeting: text(12), video: text(13)) else { throw unreadable(12) }
        return RedPacket(
            id: try packetID(),
            RedPacketDraft(key: key, kind: kind, split: split, scope: scope, cover: cover),
            seal: RedPacket.Seal(commitment: bytes(10), sealedSeed: bytes(11)),
            createdAt: time(9),
            try progress(from: 15)
        )
    }

    private func progress(from first: Int32) throws(StoreError) -> RedPacket.Progress {
        guard let state = RedPacket.State(rawValue: try number(first)) else { throw unreadable(first) }
        return RedPacket.Progress(
            state: state,
            funding: isNull(first + 1) ? nil : transferID(from: first + 1),
            publishedAt: timeIfAny(first + 3),
            expiresAt: timeIfAny(first + 4),
            closedAt: timeIfAny(first + 5),
            claimed: try amount(first + 6),
            claimedCount: try number(first + 7),
            luckiest: isNull(first + 8)
                ? nil : RedPacket.Best(position: try number(first + 8), share: try amount(first + 9)),
            transferred: try amount(first + 10),
            refunded: try amount(first + 11),
            attempts: try number(first + 12),
            nextCheckAt: time(first + 13)
        )
    }

    func claim() throws(StoreError) -> Claim {
        guard let kind = RedPacketKind(rawValue: try number(4)) else { throw unreadable(4) }
        guard let state = Claim.State(rawValue: try number(7)) else { throw unreadable(7) }
        return Claim(
            key: ClaimKey(packet: try packetID(), person: PersonID(bits(2))),
            book: BookID(try number(3)),
            kind: kind,
            position: try number(1),
            share: try amount(5),
            at: time(6),
            state: state,
            attempts: try number(8),
            nextCheckAt: time(9),
            doneAt: timeIfAny(10)
        )
    }
}

extension RecipientScope {
    fileprivate var number: Int64 {
        switch self {
        case .everyone: 1
        case .followers: 2
        case .friends: 3
        case .listed: 4
        }
    }

    /// 8 bytes for each person, the most significant first.
    fileprivate var listedBytes: [UInt8] {
        guard case .listed(let persons) = self else { return [] }
        return persons.flatMap { person in
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: person.rawValue >> UInt64($0)) }
        }
    }

    fileprivate init?(number: Int64, listed bytes: [UInt8]) {
        switch number {
        case 1: self = .everyone
        case 2: self = .followers
        case 3: self = .friends
        case 4:
            guard bytes.count.isMultiple(of: 8) else { return nil }
            let persons = stride(from: 0, to: bytes.count, by: 8).map { first in
                PersonID(bytes[first..<first + 8].reduce(0) { $0 << 8 | UInt64($1) })
            }
            guard let scope = RecipientScope.list(persons) else { return nil }
            self = scope
        default: return nil
        }
    }
}
