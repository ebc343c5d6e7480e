import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HummingbirdCore
import Testing

@Suite struct ErrorMappingTests {
    /// The contract of api.md, and what was added to it: code, status, kind, whether to retry.
    static let table = """
        malformed               400 invalid      -
        unknown_field           400 invalid      -
        unauthorized            401 unauthorized -
        forbidden               403 unauthorized -
        out_of_scope            403 refused      -
        campaign_unknown        404 invalid      -
        scene_unknown           404 invalid      -
        not_found               404 invalid      -
        method_not_allowed      405 invalid      -
        not_in_phase            409 refused      -
        budget_exhausted        409 refused      -
        stock_exhausted         409 refused      -
        exhausted               409 refused      -
        expired                 409 refused      -
        not_paid                409 refused      -
        insufficient_balance    409 refused      -
        withdrawal_closed       409 refused      -
        switched_off            409 refused      -
        already_claimed         409 conflict     -
        subsidy_used            409 conflict     -
        phone_in_use            409 conflict     -
        payment_closed          409 refused      -
        order_conflict          409 conflict     -
        body_too_large          413 invalid      -
        unsupported_media_type  415 invalid      -
        amount_invalid          422 invalid      -
        app_unknown             422 invalid      -
        reward_unknown          422 invalid      -
        order_part_invalid      422 invalid      -
        person_mismatch         422 invalid      -
        token_invalid           422 invalid      -
        subsidy_mismatch        422 invalid      -
        over_cap                422 refused      -
        try_again               429 limited      retry
        quota_exhausted         429 limited      retry
        reward_refused          409 refused      -
        rate_limited            429 limited      retry
        internal                500 internal     -
        overloaded              503 unavailable  retry
        payment_unavailable     503 unavailable  retry
        unavailable             503 unavailable  retry
        """

    @Test func everyCodeHasItsRow() throws {
        var expected: [String: String] = [:]
        for line in Self.table.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            expected[words[0]] = words[1...].joined(separator: " ")
        }
        var found: [String: String] = [:]
        for code in ErrorCode.allCases {
            found[code.rawValue] =
                "\(code.row.status) \(code.row.kind.rawValue) \(code.row.isRetryable ? "retry" : "-")"
        }
        #expect(found == expected)
    }

    @Test(arguments: ErrorCode.allCases) func bodiesHaveTheOneShape(_ code: ErrorCode) throws {
        let response = Problem(code, param: "x").response()
        #expect(response.status.code == code.row.status)
        #expect(response.headers[.contentType] == "application/problem+json")
        #expect((response.headers[.retryAfter] == nil) == (code.row.status != 429 && code.row.status != 503))
        #expect((response.headers[.wwwAuthenticate] == "Bearer") == (code == .unauthorized))
        var json = JSONWriter()
        Problem(code, param: "x").write(to: &json)
        let body = String(decoding: json.bytes, as: UTF8.self)
        #expect(body.hasPrefix(#"{"type":"urn:hongbao:error:\#(code.rawValue)","title":""#))
        #expect(
            body.hasSuffix(#""param":"x","retryable":\#(code.row.isRetryable),"kind":"\#(code.row.kind.rawValue)"}"#)
        )
    }

    /// GR-4: every refusal has a code of its own, or one that says as much.
    @Test func refusalsKeepTheirMeaning() {
        let codes = GrantRefusal.allCases.map { $0.problem.code.rawValue }
        #expect(
            codes.sorted() == [
                "amount_invalid", "app_unknown", "budget_exhausted", "campaign_unknown", "malformed", "not_in_phase",
                "order_conflict", "order_part_invalid", "over_cap", "overloaded", "person_mismatch",
                "quota_exhausted", "reward_unknown", "scene_unknown", "stock_exhausted", "switched_off",
            ]
        )
    }

    @Test(arguments: [
        (StoreError.Code.unavailable, ErrorCode.unavailable), (.outcomeUnknown, .unavailable), (.fenced, .unavailable),
        (.corrupt, .internal), (.tooNew, .internal),
    ])
    func faultsDoNotTellTheirText(_ fault: StoreError.Code, _ code: ErrorCode) {
        let problem = Problem(StoreError(fault, "secret path /var/x"))
        #expect(problem.code == code)
        #expect(problem.detail?.contains("secret") != true)
    }
}
