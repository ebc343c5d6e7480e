#if MUTANTS
    import Synchronization
#endif

/// Bugs planted on purpose, to prove that the simulator would find them (docs/money-safety.md).
///
/// Each is one condition at the place of the bug, named for what it does wrong; the comment says which rule it breaks.
/// At most one is active in a process. Only debug builds have them: elsewhere `isOn` is `false` to the compiler, which
/// leaves the planted code out.
package enum Mutant: Int, CaseIterable, Sendable {
    // MARK: Ledger

    /// M2: an account may be debited more than it has.
    case overdraws
    /// M2: an account may be debited one fen more than it has.
    case overdrawsByOne
    /// M2: money that is held may be spent.
    case spendsHeldMoney
    /// M1: a transfer leaves its debit account as it was.
    case forgetsDebit
    /// M1: a transfer leaves its credit account as it was.
    case forgetsCredit
    /// M2: a transfer credits its amount twice.
    case creditsTwice
    /// M3: a transfer that was posted before is posted again.
    case postsAgain
    /// M2: money stays held when its hold becomes a transfer.
    case keepsHeldWhenPosted
    /// M2: money stays held when its hold is voided.
    case keepsHeldWhenVoided
    /// M2: a voided hold gives its money back twice.
    case voidsTwice
    /// M9: a posted hold is noted as voided.
    case notesPostedAsVoided

    // MARK: Budgets

    /// M6: a lease gets what was wanted, not what is left of the budget.
    case leasesMoreThanThereIs
    /// M6: what a lease got isn't taken from the budget.
    case leasesForNothing
    /// M6: a reservation leaves the slice as large as it was.
    case reservesWithoutTaking
    /// M6: what a rolled back grant had reserved isn't given back.
    case leaksRolledBackMoney
    /// M6: what a grant had reserved that is refused as too many isn't given back.
    case leaksOverloadedMoney
    /// M6: the cap of a scene isn't asked.
    case ignoresCap
    /// M6: an extension whose answer was lost counts at once, and once more when it's heard of.
    case countsLostExtensionTwice
    /// M6: after a restart everything allotted can be issued, also what was issued before.
    case leasesIssuedMoneyAgain
    /// M6: a lease is taken back from a holder that still uses it.
    case reclaimsLiveLease
    /// M6: what is given back of a lease at a shutdown stays in the lease, too.
    case keepsReturnedLease
    /// M6: what a mint that is dead had leased is never taken back.
    case leavesLapsedLeases
    /// M5: a budget is raised without moving its money.
    case fundsWithoutMoney
    /// M6: a budget can be lowered to less than what is issued or leased.
    case lowersBelowAllotted
    /// M6: the cap of an epoch's certificate isn't asked.
    case ignoresCertificateCap

    // MARK: Reloads

    /// CF-5: campaigns are in force before their budgets are funded, and stay so when that fails.
    case swapsBeforeFunding
    /// CF-5: campaigns that don't fit what was issued are put in force.
    case takesUnfitCampaigns
    /// M6: a scene whose budget was used up isn't tried again when it's raised.
    case forgetsToReopen

    // MARK: Order numbers

    /// M3: an order that was accepted before is accepted again.
    case forgetsOrders
    /// M3: after a restart only orders that aren't posted are known.
    case forgetsPostedOrdersAtStart
    /// M14: a repeat with another amount is answered with that one.
    case takesNewAmount
    /// M14: a repeat isn't recognised as one when it names another amount, and is refused as new.
    case conflictsWithItself
    /// M14: what may yet be undone already makes another request conflict.
    case conflictsWithUndurable
    /// M4: a repeat that is posted before its answer is posted with its own time, not with the first one's.
    case postsRepeatAsAsked
    /// M3: an order number that isn't the request's own is taken.
    case ignoresExpectedOrder
    /// M3: what was rolled back stays in the table of orders.
    case keepsRolledBackOrders

    // MARK: Log and recovery

    /// M5: a group is answered before it's durable.
    case answersBeforeDurable
    /// M5: what may have been written is taken back without asking.
    case rollsBackUnknown
    /// M5: what was surely not written counts as written.
    case keepsUnavailable
    /// M5: another process's batch with the same number passes for one's own.
    case mistakesOthersBatches
    /// M5: the sequence begins one too low after a restart.
    case reusesSequence
    /// M3: the last batch of the log isn't read at the start.
    case skipsLastBatch
    /// M3: the last page of the log isn't read at the start, when there are several.
    case skipsLastPage
    /// M5: tokens that aren't posted aren't listed at the start.
    case forgetsOpenTokensAtStart
    /// M11: what was accepted isn't listed.
    case forgetsToList
    /// M5: a process that was replaced begins another epoch.
    case ignoresTakeOver
    /// M5: the log's writer isn't woken to end at a shutdown.
    case neverEnds
    /// M5: grants are never counted as posted, until nothing more is accepted.
    case forgetsToCountPosted
    /// M14: a group's batches all get the tokens of its first.
    case answersFromFirstBatch
    /// M14: a token is that of the place before.
    case answersWithNeighboursToken

    // MARK: Poster

    /// M5: the watermark moves to the end of the log.
    case movesWatermarkTooFar
    /// M5: the watermark doesn't move.
    case forgetsWatermark
    /// M5: the watermark moves in a transaction of its own, before the transfers.
    case movesWatermarkFirst
    /// M5: what isn't listed yet is posted.
    case postsUnlisted
    /// M5: tokens count as posted before they are.
    case marksBeforePosting
    /// M5: a fault while posting before the answer is taken for done.
    case swallowsPostingFault
    /// M5: a batch's last grant isn't posted.
    case leavesOutLastGrant
    /// M4: what is posted gets a number of its own.
    case postsUnderNewNumber
    /// M4: another scene of the phase pays.
    case debitsAnotherScene
    /// M3: the person with the next number is paid.
    case paysAnotherPerson
    /// M4: a grant is booked at half its amount.
    case postsHalf

    // MARK: Wallets

    /// M11: the ledger is read before the tokens.
    case readsLedgerFirst
    /// M11: a token that is posted is shown beside its posting.
    case showsPostedTokens
    /// M11: a failed withdrawal has no line that gives it back.
    case hidesRefund
    /// M11: the balance of a wallet doesn't get failed withdrawals back.
    case keepsFailedMoney
    /// M11: a page begins with the line at which the one before ended.
    case repeatsLine
    /// M11: a wallet without its ledger doesn't say so.
    case hidesMissingLedger
    /// M11: tokens of other persons are taken.
    case takesOthersTokens
    /// M5: tokens that verify are taken without looking them up in the log.
    case trustsTokens

    // MARK: Tokens

    /// TK-9: a token's way to the signed root isn't checked.
    case ignoresPath
    /// TK-9: the signature of a header isn't checked.
    case ignoresSignature
    /// TK-9: a header that was verified once is good with any signature.
    case ignoresKnownSignature
    /// TK-9: after a restart nobody knows which epochs were revoked.
    case forgetsRevocations

    // MARK: Withdrawals

    /// M15: money is held, and nothing is promised.
    case holdsWithoutPromise
    /// M15: money is promised, and not held.
    case promisesWithoutHold
    /// M15: a repeated withdrawal replaces the first.
    case withdrawsAgain
    /// M14: a repeated withdrawal of another amount is taken for the first.
    case ignoresWithdrawnAmount
    /// M15: what is still in tokens isn't posted before a withdrawal.
    case forgetsOpenTokens
    /// M9: each attempt gives the channel another order number.
    case submitsUnderNewNumber
    /// M9: no answer from the channel is taken for a failure.
    case takesSilenceAsFailure
    /// M9: an order that the channel doesn't know is taken for failed.
    case takesUnknownAsFailed
    /// M9: what the channel says that it paid isn't compared.
    case ignoresPaidAmount
    /// M9: the channel's reports are applied to the wrong orders.
    case mixesUpReports
    /// M9: a paid withdrawal is still open.
    case paysAndStaysOpen
    /// M10: a late report opens what was final.
    case reopensFinal
    /// M10: nobody looks for what an earlier process has left.
    case neverSweeps
    /// M10: payouts wait by the wall clock, which may be set back.
    case waitsByWallClock
    /// M10: what a clock that was ahead has put off in the store is left there.
    case leavesPutOff

    // MARK: Phases

    /// M13: new grants go to the campaign's first phase.
    case grantsInFirstPhase
    /// M13: grants are made after the end of their phase.
    case grantsAfterTheEnd
    /// M13: the token list of a person doesn't tell phases apart.
    case listsAllPhases
    /// M13: a token of another phase is taken.
    case takesTokensOfOtherPhases
    /// M13: a withdrawal is paid to the account of another phase, and no book is compared.
    case paysOutOfAnotherBook

    // MARK: Red packets

    /// RP-11: a person may claim a packet again and again.
    case claimsAgain
    /// RP-11: nobody asks whether a person may claim a packet.
    case ignoresRecipientScope
    /// RP-4: a packet can be claimed after its time.
    case claimsAfterTheEnd
    /// M7: a packet can be claimed before it's paid.
    case claimsUnpaidPackets
    /// RP-3: of equal shares the last is marked as the luckiest.
    case marksLastLuckiest
    /// RP-3: who claims is told of one share left too many.
    case tellsSharesBefore
    /// M14: claims that are decided together are answered in another order.
    case mixesUpClaims
    /// RP-10: the secret of the shares is shown as soon as there are shares.
    case showsSeedEarly
    /// M8: a share is called transferred, and its money stays in the escrow.
    case forgetsShareTransfer
    /// M8: a packet is closed before everything is where it belongs.
    case closesUnsettledPackets
    /// RP-4: a packet's time never ends.
    case neverExpiresPackets
    /// M9: a payment of any amount opens a packet.
    case takesAnyPayment
    /// M9: a payment of another amount is kept, and belongs to nobody.
    case keepsWrongPayments
    /// M9: a payment for a packet that was given up is kept, and belongs to nobody.
    case keepsLatePayments

    // MARK: Subsidies

    /// SU-4: a subsidy that has paid for a packet pays for another one.
    case usesSubsidiesAgain
    /// SU-4: a subsidy that pays for a packet stays as if it could be used.
    case leavesSubsidiesUnused
    /// SU-5: a subsidy of another person is taken.
    case takesOthersSubsidies
    /// SU-2: a subsidy that is posted is listed beside its posting.
    case listsPostedSubsidies
    /// RP-4: what nobody claims of a packet that a subsidy has paid for goes to its sender.
    case givesRestToSender

    // MARK: Coupons and pendants

    /// BU-4: the part of an inventory that is kept back is leased, too.
    case leasesTheReserve
    /// A pool's quota for a slice of time is exceeded.
    case ignoresQuota
    /// BU-3: a coupon is given and no piece is taken for it.
    case takesNoPiece
    /// BU-4: who gets a backup is answered with what was meant.
    case namesWhatWasMeant
    /// BU-3: the pieces of grants that never happened stay taken.
    case leaksRolledBackPieces
    /// M15: a coupon is posted without the promise to its downstream.
    case forgetsToPromise
    /// M3: a coupon that was promised is promised again.
    case promisesAgain
    /// GR-6: what a downstream refuses once is given up.
    case givesUpRefusedRewards
    /// GR-4: a downstream that doesn't answer is taken to have given.
    case takesSilenceAsGiven
    /// GR-4: an order is given downstream under another number when it's tried again.
    case givesUnderNewNumber
    /// M11: a coupon that is posted is shown beside its posting.
    case listsPostedRewards
    /// A coupon is used that its downstream hasn't given.
    case redeemsPromises
    /// A coupon is used twice.
    case redeemsAgain

    // MARK: Running totals

    /// M12: what a flush had told whose answer is lost counts once more.
    case addsLostFlushAgain
    /// M12: what is flushed isn't kept for the flushes after it.
    case forgetsGathered
    /// M12: after a restart the mint's part begins at nothing.
    case forgetsGivenAtStart
    /// M12: what is about to be written counts, and stays when it can't be written.
    case countsBeforeDurable
    /// M12: a screen shows less when a hot state answers less.
    case showsLess

    // MARK: Identities

    /// ID-2: a user who comes with another person's phone stays who they were.
    case ranksUserAbovePhone
    /// ID-3: a user who comes to another person's phone takes others along who weren't asked.
    case takesOthersAlong
    /// ID-3: what was earned under another name before a merge can be earned again.
    case forgetsAliasOrders
    /// ID-3: who was merged still earns under their own numbers.
    case grantsToAlias
    /// ID-3: after a restart nobody knows who was merged.
    case forgetsMergesAtStart
    /// ID-3: a merge whose outcome isn't known counts as one that never was.
    case forgetsDoubtfulMerges
    /// M2: a merge moves what is held for a withdrawal, too.
    case movesHeldMoney
    /// M3: what a merge moves later has the number of what it moved before.
    case reusesMoveNumbers
    /// M10: what comes to somebody who was merged stays with them, once they have been looked at.
    case movesOnlyOnce
    /// M11: a wallet shows what its person has under one name only.
    case hidesAliasMoney

    #if MUTANTS
        package static let areBuiltIn = true
        private static let active = Atomic<Int>(-1)

        package static func isOn(_ mutant: Mutant) -> Bool { active.load(ordering: .relaxed) == mutant.rawValue }

        /// Plants this bug and no other in this process; `false` where mutants are compiled out.
        package static func activate(_ mutant: Mutant) -> Bool {
            active.store(mutant.rawValue, ordering: .relaxed)
            return true
        }
    #else
        package static let areBuiltIn = false

        @inlinable @inline(__always)
        package static func isOn(_ mutant: Mutant) -> Bool { false }

        /// Plants this bug and no other in this process; `false` where mutants are compiled out.
        package static func activate(_ mutant: Mutant) -> Bool { false }
    #endif
}
