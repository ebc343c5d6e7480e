import HTTPTypes
package import Hummingbird
import NIOCore

/// Why a request, or an item of a batch, wasn't done: on the wire an RFC 9457 problem.
package struct Problem: Error, Hashable, Sendable {
    package let code: ErrorCode
    /// The field that it's about.
    package let param: String?
    /// Says more than the code's title. Never a fault's own text, never anything of a person.
    package let detail: String?
    /// With `method_not_allowed`: what the address does take.
    package let allow: String?

    package init(_ code: ErrorCode, param: String? = nil, detail: String? = nil, allow: String? = nil) {
        self.code = code
        self.param = param
        self.detail = detail
        self.allow = allow
    }

    package static let typePrefix = "urn:hongbao:error:"
    package static let contentType = "application/problem+json"

    package func write(to json: inout JSONWriter) {
        let row = code.row
        json.object { json in
            json.field("type", Self.typePrefix + code.rawValue)
            json.field("title", row.title)
            json.field("status", Int64(row.status))
            json.field("detail", detail ?? row.title)
            json.field("code", code.rawValue)
            if let param { json.field("param", param) }
            json.field("retryable", row.isRetryable)
            json.field("kind", row.kind.rawValue)
        }
    }

    package func response() -> Response {
        let row = code.row
        var json = JSONWriter(capacity: 384)
        write(to: &json)
        var headers: HTTPFields = [.contentType: Self.contentType, .cacheControl: "no-store"]
        if let seconds = row.retryAfterSeconds { headers[.retryAfter] = "\(seconds)" }
        if code == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        if let allow { headers[.allow] = allow }
        return Response(
            status: HTTPResponse.Status(code: row.status),
            headers: headers,
            body: ResponseBody(byteBuffer: json.buffer)
        )
    }
}

extension Response {
    /// An answer in JSON. It is about one person or changes at any time, so nobody may keep it.
    static func json(capacity: Int = 256, _ body: (inout JSONWriter) -> Void) -> Response {
        var json = JSONWriter(capacity: capacity)
        body(&json)
        return Response(
            status: .ok,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: json.buffer)
        )
    }

    static func text(_ text: String, contentType: String = "text/plain; charset=utf-8") -> Response {
        Response(
            status: .ok,
            headers: [.contentType: contentType, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }
}
