import HongbaoCore

// Red packets of persons with several names (ID-3).
extension Packets {
    /// A draft under the name that it's to be sent by: that which the subsidy was given to; that which sent something
    /// with this ID before (M14); or else who the person is now. And the database where that is.
    func named(
        _ draft: RedPacketDraft,
        _ subsidy: OrderNumber?
    ) async throws(StoreError) -> (draft: RedPacketDraft, place: Int) {
        try await certain(draft.key.sender)
        let names = aliases.all(draft.key.sender)
        guard names.count > 1 else { return (draft, own) }
        if let subsidy {
            guard names.contains(subsidy.person) else { return (draft, own) }
            let draft = draft.sent(by: subsidy.person)
            for index in shards.stores.indices where !shards.isOne {
                let isThere = try await shards.stores[index].read { (snapshot) throws(StoreError) in
                    if try snapshot.packet(draft.key) != nil { return true }
                    return try snapshot.subsidies(of: subsidy.person, in: subsidy.book).contains { $0.order == subsidy }
                }
                if isThere { return (draft, index) }
            }
            return (draft, own)
        }
        let keys = ([draft.key.sender] + names.reversed()).compactMap { draft.sent(by: $0).key }
        for key in keys {
            for index in shards.stores.indices {
                let isThere = try await shards.stores[index].read { (snapshot) throws(StoreError) in
                    try snapshot.packet(key) != nil
                }
                if isThere { return (draft.sent(by: key.sender), index) }
            }
        }
        return (draft.sent(by: names[names.count - 1]), own)
    }

    /// Waits until it's known who somebody is, in the middle of a merge: what they have under another name isn't known
    /// before that. It takes a fraction of a second, unless a node is away.
    private func certain(_ name: PersonID) async throws(StoreError) {
        for _ in 0..<Self.looksMax {
            if !aliases.isDoubtful(name) { return }
            await clock.pause(.milliseconds(50))
        }
        throw StoreError(.unavailable, "a merge is under way")
    }

    private static let looksMax = 20

    /// A share for a person, once for all their names (RP-11): who has claimed under one has claimed. What is meant for
    /// listed people, or a sender's friends, is for them under whichever name they are meant by.
    func claimUnderOneName(_ id: RedPacketID, by name: PersonID) async -> ClaimAnswer {
        do throws(StoreError) {
            try await certain(name)
        } catch {
            return .unavailable(error)
        }
        let names = aliases.all(name)
        guard names.count > 1 else { return await lanes.claim(id, by: name) }
        let keys = names.map { ClaimKey(packet: id, person: $0) }
        let earlier: [Claim]
        do throws(StoreError) {
            earlier = try await shards.store(of: id).read { (snapshot) throws(StoreError) in
                try snapshot.claims(keys)
            }
        } catch {
            return .unavailable(error)
        }
        if let claimed = earlier.first { return await lanes.claim(id, by: claimed.key.person) }
        var answer = await lanes.claim(id, by: names[names.count - 1])
        for other in names.dropLast().reversed() {
            guard case .decided(.notInScope) = answer else { return answer }
            answer = await lanes.claim(id, by: other)
        }
        return answer
    }
}

extension RedPacketDraft {
    fileprivate func sent(by sender: PersonID) -> RedPacketDraft {
        guard let key = SendKey(sender: sender, book: key.book, id: key.id) else {
            preconditionFailure("an ID that was one before")
        }
        return RedPacketDraft(key: key, kind: kind, split: split, scope: scope, cover: cover)
    }
}
