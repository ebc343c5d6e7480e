import HongbaoCore
import Testing

@Suite struct DivisionTests {
    /// DP-3: every slot is one mint's, and each mint has as many as any other, or one more.
    @Test(arguments: [1, 2, 3, 7, 63, 64])
    func slotsAreDealtOutEvenly(_ mints: Int) {
        let division = Division(mints: mints)
        var counts: [MintID: Int] = [:]
        for slot in 0..<Division.slots { counts[division.mint(of: slot), default: 0] += 1 }
        #expect(counts.keys.sorted() == division.all)
        #expect(counts.values.allSatisfy { $0 == Division.slots / mints || $0 == Division.slots / mints + 1 })
    }

    /// DP-3: people whose numbers follow each other are spread all the same. Where a person belongs is written nowhere,
    /// so it must never change: these are for ever.
    @Test func peopleAreSpreadAndStay() {
        let division = Division(mints: 4)
        var counts: [MintID: Int] = [:]
        for number in 1...40_000 as ClosedRange<UInt64> { counts[division.mint(of: PersonID(number)), default: 0] += 1 }
        #expect(counts.values.allSatisfy { (9_700...10_300).contains($0) }, "\(counts)")
        #expect((1...8).map { Division.slot(of: $0) } == [2320, 2421, 464, 1767, 1584, 3030, 1596, 2533])
        #expect(Division.whole.mint(of: PersonID(.max)) == MintID(1))
    }
}
