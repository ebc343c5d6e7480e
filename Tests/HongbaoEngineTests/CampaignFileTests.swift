import HongbaoCore
import HongbaoEngine
import Testing

/// Campaign files are checked as a whole, and every problem names its place (CF-5).
@Suite struct CampaignFileTests {
    @Test func theValidFileIsValid() {
        let file = CampaignFile.load(text: CampaignFileTable.valid, name: "f.yaml")
        #expect(file.rendered() == "f.yaml: campaign small, number 7, is valid: 1 app, live with 2 scenes")
    }

    @Test(arguments: CampaignFileTable.cases)
    func problemsAreNamedWithTheirPlace(bad: BadFile) throws {
        var text = CampaignFileTable.valid
        for (old, new) in bad.changes {
            let range = try #require(text.firstRange(of: old), "nothing to change: \(old)")
            text.replaceSubrange(range, with: new)
        }
        let file = CampaignFile.load(text: text, name: "f.yaml")
        #expect(file.rendered() == bad.expected)
    }
}
