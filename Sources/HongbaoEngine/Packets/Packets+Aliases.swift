import HongbaoCore

// Red packets of persons with several names (ID-3).
extension Packets {
    /// A draft under the name that it's to be sent by: that which the subsidy was given to; that which sent something
    /// with this ID before (M14); or else who the person is now. And the database where that is.
    func named(
        _ draft: RedPacketDraft,
        _ subsidy: OrderNumber?
    ) async throws(StoreError) -> (draft: RedPacketDraft, place: Int) {
        let names = aliases.all(draft.key.sender)
        guard names.count > 1 else { return (draft, own) }
        if let subsidy {
            guard names.contains(subsidy.person) else { return (draft, own) }
            let draft = draft.sent(by: subsidy.person)
            let all = shards.isOne ? [] : Array(shards.stores.indices)
            let place = try await shards.first(of: all) { (snapshot) throws(StoreError) in
                if try snapshot.packet(draft.key) != nil { return true }
                return try snapshot.subsidies(of: subsidy.person, in: subsidy.book).contains { $0.order == subsidy }
            }
            return (draft, place ?? own)
        }
        let keys = ([draft.key.sender] + names.reversed()).compactMap { draft.sent(by: $0).key }
        var places: [SendKey: Int] = [:]
        for index in shards.stores.indices {
            let found = try await shards.stores[index].read { (snapshot) throws(StoreError) in
                var found: [SendKey] = []
                for key in keys {
                    if try snapshot.packet(key) != nil { found.append(key) }
                }
                return found
            }
            for key in found where places[key] == nil { places[key] = index }
        }
        for key in keys {
            if let place = places[key] { return (draft.sent(by: key.sender), place) }
        }
        return (draft.sent(by: names[names.count - 1]), own)
    }

    /// Begins something under a name, when it's known who that is: in the middle of a merge it isn't known what they
    /// have under another name. It takes a fraction of a second, unless a node is away. A merge that begins meanwhile
    /// waits for `aliases.end`.
    func begin(_ name: PersonID) async throws(StoreError) {
        for _ in 0..<Self.looksMax {
            if aliases.begin(name) { return }
            await clock.pause(.milliseconds(50))
        }
        throw StoreError(.unavailable, "a merge is under way")
    }

    private static let looksMax = 20

    /// A share for a person, once for all their names (RP-11): who has claimed under one has claimed. What is meant for
    /// listed people, or a sender's friends, is for them under whichever name they are meant by.
    func claimUnderOneName(_ id: RedPacketID, by name: PersonID) async -> ClaimAnswer {
        do throws(StoreError) {
            try await begin(name)
        } catch {
            return .unavailable(error)
        }
        defer { aliases.end(name) }
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
