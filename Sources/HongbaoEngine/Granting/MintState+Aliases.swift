import HongbaoCore

extension MintState {
    /// A grant as it's to be decided for a person with several names (ID-3): under the number that it was given before,
    /// whichever name that has, or under that of who the person is now.
    ///
    /// The same amount and reward as before is a repeat, so such a number comes first. `nil` when it isn't known at
    /// present who the person is.
    func named(_ draft: GrantDraft, _ aliases: Aliases) -> GrantDraft? {
        let name = draft.order.person
        if aliases.isOnlyName(name) || entry(for: draft.order) != nil { return draft }
        if aliases.isDoubtful(name) { return nil }
        let person = aliases.person(name)
        // It was asked who may get it before somebody learnt who that is.
        guard draft.recipient == person else { return nil }
        var other: GrantDraft?
        for earlier in aliases.all(name) where earlier != name && !Mutant.isOn(.forgetsAliasOrders) {
            let given = draft.given(to: earlier)
            guard let entry = entry(for: given.order) else { continue }
            if given.isRepeat(of: entry) { return given }
            other = given
        }
        return other ?? (Mutant.isOn(.grantsToAlias) ? draft : draft.given(to: person))
    }
}
