import HongbaoCore

// Red packets of persons with several names (ID-3).
extension Packets {
    /// A draft under the name that it's to be sent by: that which the subsidy was given to; that which sent something
    /// with this ID before (M14); or else who the person is now.
    func named(_ draft: RedPacketDraft, _ subsidy: OrderNumber?) async throws(StoreError) -> RedPacketDraft {
        let names = aliases.all(draft.key.sender)
        guard names.count > 1 else { return draft }
        if let subsidy { return names.contains(subsidy.person) ? draft.sent(by: subsidy.person) : draft }
        let keys = ([draft.key.sender] + names.reversed()).compactMap { draft.sent(by: $0).key }
        let earlier = try await store.read { (snapshot) throws(StoreError) in
            var senders: [PersonID] = []
            for key in keys where try snapshot.packet(key) != nil { senders.append(key.sender) }
            return senders
        }
        return draft.sent(by: earlier.first ?? names[names.count - 1])
    }

    /// A share for a person, once for all their names (RP-11): who has claimed under one has claimed. What is meant for
    /// listed people, or a sender's friends, is for them under whichever name they are meant by.
    func claimUnderOneName(_ id: RedPacketID, by name: PersonID) async -> ClaimAnswer {
        let names = aliases.all(name)
        guard names.count > 1 else { return await lanes.claim(id, by: name) }
        let keys = names.map { ClaimKey(packet: id, person: $0) }
        let earlier: [Claim]
        do throws(StoreError) {
            earlier = try await store.read { (snapshot) throws(StoreError) in try snapshot.claims(keys) }
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
