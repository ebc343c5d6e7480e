import HongbaoCore
import Testing

/// Who is admitted to a staged rollout and to withdrawal (CF-4, WD-1).
@Suite struct CampaignAdmissionTests {
    /// The figures were computed apart from this code. Points never change: people who were in a rollout stay in it, on
    /// every node and in every version.
    @Test func pointsAreTheSameForEver() {
        let lottery = Lottery(campaign: 1, purpose: .admission)
        let other = Lottery(campaign: 2, purpose: .admission)
        let gate = Lottery(campaign: 1, purpose: .withdrawal)
        let people: [UInt64] = [1, 2, 3, 10_001, .max]
        #expect(people.map { lottery.point(of: PersonID($0)) } == [3617, 1123, 8495, 2147, 7114])
        #expect(people.map { other.point(of: PersonID($0)) } == [273, 2373, 6642, 2281, 8621])
        #expect(people.map { gate.point(of: PersonID($0)) } == [916, 6808, 8119, 2060, 6731])
    }

    @Test(arguments: [0, 1, 500, 5000, 9999, 10_000] as [UInt16])
    func shareIsWhatItSays(basisPoints: UInt16) {
        let lottery = Lottery(campaign: 77, purpose: .admission)
        let admission = Admission.percentage(basisPoints: basisPoints, listed: [])
        let count = 100_000
        let admitted = (1...count).count {
            admission.verdict(on: PersonID(UInt64($0)), in: lottery).isAdmitted
        }
        let expected = Double(basisPoints) / 10_000
        let deviation = (expected * (1 - expected) * Double(count)).squareRoot()
        #expect(abs(Double(admitted) - expected * Double(count)) <= 5 * deviation)
    }

    @Test func raisingAShareKeepsWhoWasIn() {
        let lottery = Lottery(campaign: 3, purpose: .withdrawal)
        for person in (1...5000).map({ PersonID($0) }) {
            var wasIn = false
            for basisPoints in stride(from: UInt16(0), through: 10_000, by: 500) {
                let isIn = Admission.percentage(basisPoints: basisPoints, listed: [])
                    .verdict(on: person, in: lottery).isAdmitted
                #expect(isIn || !wasIn)
                wasIn = isIn
            }
            #expect(wasIn)
        }
    }

    @Test func listedPeopleComeBeforeTheShare() {
        let lottery = Lottery(campaign: 3, purpose: .admission)
        let admission = Admission.percentage(basisPoints: 0, listed: [PersonID(5)])
        #expect(admission.verdict(on: PersonID(5), in: lottery) == .listed)
        #expect(!admission.verdict(on: PersonID(6), in: lottery).isAdmitted)
        #expect(Admission.listed([PersonID(5)]).verdict(on: PersonID(6), in: lottery) == .notListed)
        #expect(Admission.everyone.verdict(on: PersonID(6), in: lottery) == .everyone)
    }
}
