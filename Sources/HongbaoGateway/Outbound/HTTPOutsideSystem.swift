import HongbaoCore
import HongbaoEngine
import Logging

/// Asks one outside system and believes it only what can be read strictly.
///
/// Anything but a whole, strictly read answer to an order is `.unreachable`, since it may or may not have happened.
struct HTTPOutsideSystem: Sendable {
    private let client: SignedClient
    private let place: String
    private let logger: Logger

    /// `base` is like `http://127.0.0.1:9000`; a trailing slash is dropped.
    init(_ system: OutsideSystem, client: SignedClient, base: String, logger: Logger) {
        self.client = client
        place = (base.hasSuffix("/") ? String(base.dropLast()) : base) + "/" + system.rawValue
        self.logger = logger
    }

    /// One report for each order, in their order.
    func reports(_ path: String, _ body: [UInt8], about orders: [String]) async -> [PayoutReport] {
        let results: [PayoutMessages.Result]? = await ask(path, body) { (bytes) throws(JSONFault) in
            try PayoutMessages.readResults(bytes)
        }
        var reports: [String: PayoutReport] = [:]
        for result in results ?? [] where reports.updateValue(result.report, forKey: result.order) != nil {
            // Two answers for one order: neither is believed.
            reports[result.order] = .unreachable
        }
        return orders.map { reports[$0] ?? .unreachable }
    }

    /// `nil` when there is no answer, or none that can be read.
    func ask<Answer>(
        _ path: String,
        _ body: [UInt8],
        _ read: ([UInt8]) throws(JSONFault) -> Answer
    ) async -> Answer? {
        let bytes: [UInt8]
        do {
            bytes = try await client.post(place + path, body)
        } catch let error as SignedClient.Refused {
            warn("an outside system refused a call", path, ["status": "\(error.status)"])
            return nil
        } catch {
            warn("an outside system wasn't reached", path, ["error": "\(error)"])
            return nil
        }
        do throws(JSONFault) {
            return try read(bytes)
        } catch {
            warn(
                "an outside system's answer can't be read",
                path,
                ["reason": "\(error.reason)", "offset": "\(error.offset)"]
            )
            return nil
        }
    }

    private func warn(_ message: Logger.Message, _ path: String, _ metadata: Logger.Metadata) {
        logger.warning(message, metadata: metadata.merging(["address": "\(place + path)"]) { old, _ in old })
    }
}
