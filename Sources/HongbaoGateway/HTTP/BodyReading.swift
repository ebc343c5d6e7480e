import HTTPTypes
import Hummingbird
import NIOCore

/// What became of reading a body.
enum BodyOutcome: Sendable {
    case complete(ByteBuffer)
    /// More bytes than allowed. The rest of it is still on its way.
    case tooLarge
    /// It came too slowly.
    case tooSlow
    /// The connection broke.
    case broken
}

/// Reads bodies within bounds of size and time. A body that comes in one piece isn't copied.
struct BodyReading: Sendable {
    let bytesMax: Int
    let timeout: Duration

    /// Faults of the HTTP parser are thrown on, so that the connection is closed.
    func read(_ request: Request) async throws -> BodyOutcome {
        if let declared = request.headers[.contentLength].flatMap({ Int($0) }), declared > bytesMax { return .tooLarge }
        let start = ContinuousClock.now
        var whole: ByteBuffer?
        for try await var chunk in request.body {
            guard (whole?.readableBytes ?? 0) + chunk.readableBytes <= bytesMax else { return .tooLarge }
            if whole == nil { whole = chunk } else { whole?.writeBuffer(&chunk) }
            // A sender that falls silent is cut off by the idle timeout, so looking at the clock here is enough.
            guard ContinuousClock.now - start <= timeout else { return .tooSlow }
        }
        return .complete(whole ?? ByteBuffer())
    }

    static func hasBody(_ request: Request) -> Bool {
        if let length = request.headers[.contentLength] { return length != "0" }
        return request.headers[.transferEncoding] != nil
    }
}

/// The media type of a body, without parameters.
enum MediaKind: Sendable {
    case json
    case protobuf
    case other

    init(_ field: String?) {
        guard let field else {
            self = .other
            return
        }
        // The two spellings that nearly everybody sends.
        if field == "application/json" {
            self = .json
            return
        }
        if field == "application/x-protobuf" {
            self = .protobuf
            return
        }
        let parts = field.split(separator: ";", omittingEmptySubsequences: false)
        let type = parts[0].lowercased().trimmed
        let parameters = parts.dropFirst().map { $0.lowercased().trimmed }
        switch type {
        case "application/json" where parameters.allSatisfy({ $0 == "charset=utf-8" || $0 == "charset=\"utf-8\"" }):
            self = .json
        case "application/x-protobuf" where parameters.isEmpty, "application/protobuf" where parameters.isEmpty:
            self = .protobuf
        default: self = .other
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        let blanks: Set<Character> = [" ", "\t"]
        return String(drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed())
    }
}
