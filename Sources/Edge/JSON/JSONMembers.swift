// SPDX-License-Identifier: Apache-2.0

/// The members that a JSON object may have; a misspelt one is told instead of being ignored.
package indirect enum JSONMembers: Sendable {
    /// An object with these members.
    case object([String: JSONMembers])
    /// An array of such values.
    case array(JSONMembers)
    /// A whole number within bounds.
    case number(ClosedRange<Int>)
    /// One of these texts.
    case choice([String])
    /// What a rule of its own finds nothing wrong with.
    ///
    /// The rule gets the value and its path; what it lets pass is not looked at by anybody else.
    case checked(@Sendable (JSONOutline, String) -> JSONFault?)
    /// Anything else.
    case leaf

    /// Finds the first value that is not as it has to be.
    ///
    /// What is of another kind altogether, or `null`, is left to the decoder, which knows what may be left out.
    func fault(in value: JSONOutline, path: String = "") -> JSONFault? {
        switch (self, value) {
        case (.object(let members), .object(let found)):
            for member in found {
                let inner = JSONPath.member(member.name, of: path)
                guard let known = members[member.name] else {
                    return JSONFault(field: inner, message: "is not known here")
                }
                if let fault = known.fault(in: member.value, path: inner) { return fault }
            }
        case (.array(let element), .array(let found)):
            for (index, value) in found.enumerated() {
                if let fault = element.fault(in: value, path: JSONPath.element(index, of: path)) { return fault }
            }
        case (.number(let range), .number(let text)):
            // 3000.0 and 3e3 are whole numbers as well.
            guard let number = Double(text).flatMap({ Int(exactly: $0) }), range.contains(number) else {
                let bounds = "from \(range.lowerBound) to \(range.upperBound)"
                return JSONFault(field: path, message: "has to be a whole number \(bounds)")
            }
        case (.choice(let choices), .string(let text)) where !choices.contains(text):
            return JSONFault(field: path, message: "has to be \(choices.joined(separator: " or "))")
        case (.checked(let rule), _):
            return rule(value, path)
        default:
            break
        }
        return nil
    }
}
