import Crypto
import HTTPTypes
import Hummingbird
import NIOCore

/// A file that is compiled into the program.
struct Asset: Sendable {
    let name: String
    let contentType: String
    let body: ByteBuffer
    let etag: String

    init(_ name: String, _ bytes: [UInt8]) {
        self.name = name
        contentType = Self.contentType(of: name)
        body = ByteBuffer(bytes: bytes)
        let digest = SHA256.hash(data: bytes)
        etag = "\"" + String(decoding: Base64URL.encode(Array(digest.prefix(12))), as: UTF8.self) + "\""
    }

    private static func contentType(of name: String) -> String {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "json": "application/json"
        case "svg": "image/svg+xml"
        default: "application/octet-stream"
        }
    }
}

/// The pages: what browsers load. They're the same for everybody and hold no secret.
struct PageRoutes: Sendable {
    static let securityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

    /// A red envelope, drawn here so that no page asks for a file that isn't there.
    private static let favicon = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="5" y="2" width="22" height="28" rx="3" \
        fill="#d9301f"/><path d="M5 9q11 9 22 0V5a3 3 0 0 0-3-3H8a3 3 0 0 0-3 3z" fill="#b3200f"/><circle cx="16" \
        cy="13" r="5" fill="#f6c445"/></svg>
        """

    private let assets: [String: Asset]

    init() {
        var assets: [String: Asset] = [:]
        for asset in Assets.all { assets[asset.name] = asset }
        self.assets = assets
    }

    var routes: [Route] {
        let icon = Asset("favicon.svg", Array(Self.favicon.utf8))
        return [
            Route(.get, "/", .open { _ throws(Problem) in Self.redirect(to: "/wallet") }),
            Route(.get, "/wallet", .open { call throws(Problem) in try page("wallet.html", call) }),
            Route(.get, "/red-packets/new", .open { call throws(Problem) in try page("send.html", call) }),
            Route(.get, "/red-packets/{packet}", .open { call throws(Problem) in try page("packet.html", call) }),
            Route(.get, "/totals/{name}", .open { call throws(Problem) in try page("total.html", call) }),
            Route(.get, "/assets/{name}", .open(asset)),
            Route(.get, "/favicon.ico", .open { call throws(Problem) in Self.answer(icon, call) }),
            Route(.get, "/openapi.json", .open { call throws(Problem) in try page("openapi.json", call) }),
        ]
    }

    private func asset(_ call: Call) async throws(Problem) -> Response {
        try page(String(call.captures[0]), call)
    }

    private func page(_ name: String, _ call: Call) throws(Problem) -> Response {
        guard let asset = assets[name] else { throw Problem(.notFound) }
        return Self.answer(asset, call)
    }

    private static func answer(_ asset: Asset, _ call: Call) -> Response {
        var headers: HTTPFields = [
            .contentType: asset.contentType, .eTag: asset.etag, .cacheControl: "no-cache",
            .contentSecurityPolicy: securityPolicy, .referrerPolicy: "no-referrer", .frameOptions: "DENY",
        ]
        let known = call.head.headerFields[.ifNoneMatch] ?? ""
        if known == "*" || known.split(separator: ",").contains(where: { $0.trimmedBlanks == asset.etag }) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentLength] = "\(asset.body.readableBytes)"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: asset.body))
    }

    private static func redirect(to path: String) -> Response {
        Response(
            status: .temporaryRedirect,
            headers: [
                .location: path, .contentSecurityPolicy: securityPolicy, .referrerPolicy: "no-referrer",
                .cacheControl: "no-cache",
            ]
        )
    }
}

extension Substring {
    /// A weak tag is as good as a strong one here: what it names is the same bytes.
    fileprivate var trimmedBlanks: Substring {
        var text = drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text.hasPrefix("W/") ? text.dropFirst(2) : text
    }
}
