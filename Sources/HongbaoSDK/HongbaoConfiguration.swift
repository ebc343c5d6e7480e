import HongbaoEngine
public import Logging

/// Where an embedded Hongbao keeps its data, and what it plays.
public struct HongbaoConfiguration: Sendable {
    /// The folder with everything that has to be kept: made with mode 700 when it isn't there.
    public var dataFolder: String
    /// The paths of the campaign files, in YAML; `docs/campaigns.md` says what is in them.
    public var campaignFiles: [String]
    /// Whether live phases are played as if they had begun a minute before opening, for tests and rehearsals.
    public var rehearses = false
    /// How often running totals are brought up to date.
    public var totalsInterval = Duration.seconds(1)
    /// Where it says what it does and what a person should look at. It never names a person.
    public var logger = Logger(label: "hongbao")

    /// Makes a configuration with the defaults of all other settings.
    public init(dataFolder: String, campaignFiles: [String]) {
        self.dataFolder = dataFolder
        self.campaignFiles = campaignFiles
    }

    var engine: Engine.Configuration {
        var engine = Engine.Configuration()
        engine.totals.interval = max(totalsInterval, .milliseconds(1))
        return engine
    }
}
