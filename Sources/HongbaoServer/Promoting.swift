package import Configuration
package import HongbaoCore
package import HongbaoEngine
import HongbaoSQLite
package import Logging

#if MySQL
    import HongbaoMySQL
#endif

/// What `hongbao promote` is told: the folder of a pilot, and where a cluster has its books.
package struct PromotionSettings: Sendable {
    package let dataFolder: String
    package let store: DatabaseAddress
    package let division: Division
    let campaigns: CampaignLoading

    /// - Parameters:
    ///   - dataFolder: the pilot's; that of the settings is a node's.
    ///   - reader: the settings of a node.
    package init(dataFolder: String, reader: ConfigReader) throws(ServerConfiguration.Invalid) {
        let settings = Settings(reader: reader)
        guard let store = try DatabaseAddress(settings) else {
            throw ServerConfiguration.Invalid(key: "store.url", reason: "is needed: where the cluster has its books")
        }
        guard let mints = try settings.int("cluster.mints", in: 1...Division.mintsMax) else {
            throw ServerConfiguration.Invalid(
                key: "cluster.mints",
                reason: "is needed: among how many mints the people are divided for ever"
            )
        }
        self.dataFolder = dataFolder
        self.store = store
        division = Division(mints: mints)
        var configuration = try ServerConfiguration(reader: reader)
        guard configuration.shards.isEmpty else {
            let reason = "a pilot's data go into one database: leave it out"
            throw ServerConfiguration.Invalid(key: "store.shards", reason: reason)
        }
        configuration.campaignFolder = "campaigns"
        campaigns = CampaignLoading(configuration, now: WallClock.system.now())
    }
}

/// Carries a pilot's data over into a cluster's database.
package enum Promoting {
    #if MySQL
        package static func run(
            _ settings: PromotionSettings,
            logger: Logger,
            say: @escaping @Sendable (String) -> Void
        ) async throws -> Promotion.Report {
            let folder = DataFolder(settings.dataFolder)
            let target = "\(settings.store)"
            let pilot = try await folder.openToPromote(to: target)
            let database = PromotionDatabase(ServerAddress.all(settings.store))
            let result: Result<Promotion.Report, any Error>
            do {
                let promotion = Promotion(
                    of: pilot,
                    to: database,
                    among: settings.division,
                    keyring: try folder.loadKeyring(isNew: false),
                    campaigns: { () throws(StoreError) in try settings.loadCampaigns() },
                    markPilot: { () throws(StoreError) in try folder.markPromoted(to: target) },
                    logger: logger,
                    say: say
                )
                result = .success(try await promotion.run())
            } catch {
                result = .failure(error)
            }
            await database.close()
            try await pilot.close()
            return try result.get()
        }
    #else
        package static func run(
            _: PromotionSettings,
            logger _: Logger,
            say _: @escaping @Sendable (String) -> Void
        ) async throws -> Promotion.Report {
            throw StartFault(OpenedStore.noMariaDB)
        }
    #endif
}

extension PromotionSettings {
    fileprivate func loadCampaigns() throws(StoreError) -> CampaignSet {
        do throws(CampaignLoading.Refusal) {
            return try campaigns.load().campaigns
        } catch {
            throw StoreError(
                .unavailable,
                "grants of the pilot are yet to be posted, which needs its campaign files: \(error)"
            )
        }
    }
}
