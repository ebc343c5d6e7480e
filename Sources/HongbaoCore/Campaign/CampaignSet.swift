/// All campaigns that a node serves: an immutable snapshot, swapped whole when a file changes (CF-6).
package struct CampaignSet: Hashable, Sendable {
    /// The digest of the files that it was read from.
    package let version: String
    /// In order of key.
    package let campaigns: [Campaign]
    private let indexByKey: [String: Int]
    private let indexByNumber: [UInt16: Int]

    package enum Outcome: Hashable, Sendable {
        case made(CampaignSet)
        case keyGivenTwice(String)
        case numberGivenTwice(UInt16, keys: [String])
    }

    package static func make(_ campaigns: [Campaign], version: String) -> Outcome {
        let campaigns = campaigns.sorted { $0.key < $1.key }
        var indexByKey: [String: Int] = [:]
        var indexByNumber: [UInt16: Int] = [:]
        for (index, campaign) in campaigns.enumerated() {
            if indexByKey.updateValue(index, forKey: campaign.key) != nil { return .keyGivenTwice(campaign.key) }
            if let other = indexByNumber.updateValue(index, forKey: campaign.number) {
                return .numberGivenTwice(campaign.number, keys: [campaigns[other].key, campaign.key])
            }
        }
        return .made(
            CampaignSet(
                version: version,
                campaigns: campaigns,
                indexByKey: indexByKey,
                indexByNumber: indexByNumber
            )
        )
    }

    package static let empty = CampaignSet(version: "", campaigns: [], indexByKey: [:], indexByNumber: [:])

    private init(version: String, campaigns: [Campaign], indexByKey: [String: Int], indexByNumber: [UInt16: Int]) {
        self.version = version
        self.campaigns = campaigns
        self.indexByKey = indexByKey
        self.indexByNumber = indexByNumber
    }

    package func campaign(_ key: String) -> Campaign? { indexByKey[key].map { campaigns[$0] } }

    /// The campaign that keeps the book; its phase need not be on.
    package func campaign(_ book: BookID) -> Campaign? { indexByNumber[book.campaignNumber].map { campaigns[$0] } }

    package func phase(_ book: BookID) -> Phase? { campaign(book)?.phase(book) }

    package func scene(_ id: SceneID) -> Scene? { phase(id.book)?.scene(id) }

    /// All that is given out of: the budget of every scene that gives money, and the inventory of every template.
    package var fundings: [Funding] { campaigns.flatMap(\.phases).flatMap(\.fundings) }
}
