package import HongbaoCore

/// "This mint's log has batches up to this sequence", as it goes through a queue. Nobody relies on it: whoever hears it
/// looks into the store.
package struct PostingHint: Hashable, Sendable {
    package let mint: MintID
    package let sequence: UInt64

    package init(mint: MintID, sequence: UInt64) {
        self.mint = mint
        self.sequence = sequence
    }

    package var item: WorkItem {
        let text = "\(mint.rawValue):\(sequence)"
        return WorkItem(topic: "post.\(mint.rawValue)", body: Array(text.utf8), id: text)
    }

    /// `nil` for anything else.
    package init?(_ item: WorkItem) {
        let parts = String(decoding: item.body, as: UTF8.self).split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let mint = UInt32(parts[0]), let sequence = UInt64(parts[1]) else { return nil }
        self.init(mint: MintID(mint), sequence: sequence)
    }
}
