package import HongbaoCore
import Synchronization

/// The campaigns in force: an immutable snapshot that is swapped whole (CF-6).
package final class Campaigns: Sendable {
    private let snapshot: Mutex<CampaignSet>

    package init(_ campaigns: CampaignSet) { snapshot = Mutex(campaigns) }

    /// Whoever decides something asks once, and decides all of it by the answer.
    package var current: CampaignSet { snapshot.withLock { $0 } }

    func replace(by campaigns: CampaignSet) { snapshot.withLock { $0 = campaigns } }
}
