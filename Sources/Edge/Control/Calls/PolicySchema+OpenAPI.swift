// SPDX-License-Identifier: Apache-2.0

import ControlAPI

extension PolicySchema {
    /// The schemas of a policy and of what is in it, as members of `components.schemas`, each followed by a comma.
    var openAPI: String {
        let members = self.members.map { "                  \(JSONQuoting.quoted($0.name)): \($0.openAPI)" }
        return #"""

                  "TunnelPolicy": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
            \#(members.joined(separator: ",\n"))
                    }
                  },
                  "BasicCredential": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["username"],
                    "oneOf": [
                      {
                        "required": ["password"],
                        "properties": {"password": {"type": "string"}, "password_hash": {"type": "null"}}
                      },
                      {
                        "required": ["password_hash"],
                        "properties": {"password_hash": {"type": "string"}, "password": {"type": "null"}}
                      }
                    ],
                    "properties": {
                      "username": {"type": "string", \#(TextSyntax.userName.openAPI)},
                      "password": {"type": ["string", "null"], \#(TextSyntax.password.openAPI)},
                      "password_hash": {
                        "type": ["string", "null"], "description": "As this edge wrote it",
                        \#(TextSyntax.passwordHash.openAPI)
                      }
                    }
                  },

            """#
    }
}

extension PolicyMember {
    /// The member's schema, which also takes `null`.
    fileprivate var openAPI: String {
        var parts = [self.kind.openAPI]
        switch self.fallback {
        case .value(.text(let text)): parts.append(#""default": \#(JSONQuoting.quoted(text))"#)
        case .value(.number(let number)): parts.append(#""default": \#(number)"#)
        case .value(.toggle(let isOn)): parts.append(#""default": \#(isOn)"#)
        case .value(.texts), .value(.credentials), .described: break
        }
        parts.append(#""description": \#(JSONQuoting.quoted(self.documentation))"#)
        return "{\(parts.joined(separator: ", "))}"
    }
}

extension PolicyKind {
    /// The members of a JSON Schema.
    fileprivate var openAPI: String {
        switch self {
        case .choice(let words):
            #""enum": [\#(words.map(JSONQuoting.quoted).joined(separator: ", ")), null]"#
        case .number(let range), .seconds(let range):
            #""type": ["integer", "null"], "minimum": \#(range.lowerBound), "maximum": \#(range.upperBound)"#
        case .toggle:
            #""type": ["boolean", "null"]"#
        case .text(let syntax):
            #""type": ["string", "null"], \#(syntax.openAPI)"#
        case .texts(let syntax, let limit):
            #""type": ["array", "null"], "maxItems": \#(limit), "items": "#
                + #"{"type": "string", "description": \#(JSONQuoting.quoted(syntax.requirement)), \#(syntax.openAPI)}"#
        case .credentials(let limit):
            #""type": ["array", "null"], "maxItems": \#(limit), "#
                + ##""items": {"$ref": "#/components/schemas/BasicCredential"}"##
        }
    }
}

extension TextSyntax {
    /// The members of a JSON Schema that say what the text looks like.
    fileprivate var openAPI: String {
        let forms = self.forms.map { form in
            switch form {
            case .pattern(let pattern): #""pattern": \#(JSONQuoting.quoted(pattern))"#
            case .format(let name): #""format": \#(JSONQuoting.quoted(name))"#
            }
        }
        return forms.count == 1 ? forms[0] : #""anyOf": [\#(forms.map { "{\($0)}" }.joined(separator: ", "))]"#
    }
}

/// Writes texts of the program itself as JSON; none has a control character.
private enum JSONQuoting {
    static func quoted(_ text: String) -> String {
        "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
    }
}
