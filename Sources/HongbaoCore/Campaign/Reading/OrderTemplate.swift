/// The parts of an order number (GR-2), in their order.
enum OrderPart: String, CaseIterable {
    case personID
    case sceneID
    case rainID
    case awardType
    case stage

    var placeholder: String { "${\(rawValue)}" }

    static let template = allCases.map(\.placeholder).joined(separator: "_")

    /// What would go wrong without it.
    var loss: String {
        switch self {
        case .personID: "only the first of all people would get one"
        case .sceneID: "one scene would use up the grants of the others"
        case .rainID: "a person would get one in one round only"
        case .awardType: "a person would get one award type only"
        case .stage: "a person would get one stage only"
        }
    }
}

extension ProblemList {
    /// Refuses a template that can't guarantee one grant for each person, scene and round (CF-5).
    ///
    /// Person, scene and round must be in it, and the award type and the stage too when they can vary. Parts come in
    /// the order in which the platform packs them, parted by `_`; fixed text has no place in an order number.
    mutating func checkOrderTemplate(_ field: RawField, awardTypes: NumberRanges?, stages: NumberRanges?) {
        let hint = "write \(OrderPart.template)"
        guard case .scalar(let text, _) = field.node.content, !text.isEmpty else {
            error(field.spot, "must be a template, but is \(field.node.content.kind)", hint: hint)
            return
        }
        let words = text.split(separator: "_", maxSplits: 16, omittingEmptySubsequences: false)
        var parts: [OrderPart] = []
        var isWellFormed = true
        for word in words {
            guard let part = OrderPart.allCases.first(where: { $0.placeholder == word }) else {
                isWellFormed = false
                error(field.spot, "\(String(word).shown) is not a part of an order number", hint: hint)
                continue
            }
            if parts.contains(part) {
                isWellFormed = false
                error(field.spot, "\(part.placeholder) is in the template twice")
            } else {
                parts.append(part)
            }
        }
        for part in OrderPart.allCases where !parts.contains(part) {
            let isConstant =
                switch part {
                case .personID, .sceneID, .rainID: false
                case .awardType: awardTypes?.isSingleNumber ?? true
                case .stage: stages?.isSingleNumber ?? true
                }
            guard !isConstant else { continue }
            isWellFormed = false
            error(
                field.spot,
                "\(part.placeholder) is missing, so one grant for each person, scene and round is not sure: "
                    + "\(part.loss)",
                hint: hint
            )
        }
        if isWellFormed, parts != OrderPart.allCases.filter(parts.contains) {
            error(field.spot, "the parts are not in the order of an order number", hint: hint)
        }
    }
}
