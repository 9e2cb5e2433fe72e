// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Program
import Yams

/// The inbox of a tunnel, in the words of the control API with `-` for `_`, and with a file in place of the secret.
extension TunnelsFileReader {
    /// Reads `inbox`: `on` for one with every default, or settings.
    ///
    /// - Returns: `nil` if something is wrong in it.
    mutating func inbox(_ node: Node) -> InboxSettings? {
        let before = self.problems.count
        var settings = InboxSettings()
        if node.scalar.map({ ["on", "true"].contains($0.string) }) != true {
            self.settings(node, of: .inbox) { reader, name, value in
                switch name {
                case "when": reader.choice(value, name, &settings.when)
                case "methods": settings.methods = reader.texts(value, name)
                case "paths": settings.paths = reader.texts(value, name)
                case "answer": reader.answer(value, &settings.answer)
                case "echo": settings.echo = reader.texts(value, name)
                case "verify": settings.verify = reader.verification(value)
                case "delivery": reader.delivery(value, &settings.delivery)
                default: reader.keep(value, &settings.keep)
                }
            }
        }
        guard self.problems.count == before else { return nil }
        guard let fault = settings.fault else { return settings }
        // The names of files: those of the control API with other dashes.
        let place = fault.field == "verify.secret" ? "verify.secret-file" : fault.field.replacing("_", with: "-")
        self.report(self.node(place, in: node), "“inbox.\(place)” \(fault.message).")
        return nil
    }

    private mutating func answer(_ node: Node, _ answer: inout InboxSettings.Answer) {
        self.settings(node, of: .answer) { reader, name, value in
            switch name {
            case "status": reader.bounded(value, "answer.status", &answer.status)
            case "content-type": answer.contentType = reader.text(value, name) ?? answer.contentType
            default: answer.body = value.scalar?.string ?? reader.text(value, name)
            }
        }
    }

    private mutating func verification(_ node: Node) -> InboxSettings.Verification? {
        guard node.mapping?["scheme"] != nil, node.mapping?["secret-file"] != nil else {
            self.report(node, "“verify” has to have “scheme” and “secret-file”.")
            return nil
        }
        var verification = InboxSettings.Verification(scheme: .github, secret: nil)
        self.settings(node, of: .verify) { reader, name, value in
            switch name {
            case "scheme": reader.choice(value, name, &verification.scheme)
            case "on-failure": reader.choice(value, name, &verification.onFailure)
            case "tolerance-seconds":
                var seconds = 0
                reader.bounded(value, "verify.tolerance_seconds", &seconds)
                verification.toleranceSeconds = seconds
            case "generic": verification.generic = reader.generic(value)
            default:
                guard let path = reader.path(value, name) else { return }
                verification.secret = reader.reading(value) { () throws(CommandFailure) in
                    try SecretFile.read(path, what: "the secret of signatures")
                }
            }
        }
        return verification
    }

    private mutating func generic(_ node: Node) -> InboxSettings.GenericSignature? {
        guard node.mapping?["field"] != nil else {
            self.report(node, "“generic” has to have “field”.")
            return nil
        }
        var generic = InboxSettings.GenericSignature(field: "")
        self.settings(node, of: .generic) { reader, name, value in
            switch name {
            case "field": generic.field = reader.text(value, name) ?? ""
            case "prefix": generic.prefix = value.scalar?.string ?? reader.text(value, name) ?? ""
            case "hash": reader.choice(value, name, &generic.hash)
            case "coding": reader.choice(value, name, &generic.coding)
            case "template": generic.template = reader.text(value, name) ?? generic.template
            default: generic.timeField = reader.text(value, name)
            }
        }
        return generic
    }

    private mutating func delivery(_ node: Node, _ delivery: inout InboxSettings.Delivery) {
        self.settings(node, of: .delivery) { reader, name, value in
            switch name {
            case "attempts": reader.bounded(value, "delivery.attempts", &delivery.attempts)
            case "timeout-seconds": reader.bounded(value, "delivery.timeout_seconds", &delivery.timeoutSeconds)
            case "order": reader.choice(value, name, &delivery.order)
            default: reader.bounded(value, "delivery.per_second", &delivery.perSecond)
            }
        }
    }

    private mutating func keep(_ node: Node, _ keep: inout InboxSettings.Keep) {
        self.settings(node, of: .keep) { reader, name, value in
            switch name {
            case "delivered-hours": reader.bounded(value, "keep.delivered_hours", &keep.deliveredHours)
            case "waiting-hours": reader.bounded(value, "keep.waiting_hours", &keep.waitingHours)
            case "messages": reader.bounded(value, "keep.messages", &keep.messages)
            case "bytes": reader.bounded(value, "keep.bytes", &keep.bytes)
            default: reader.bounded(value, "keep.body_bytes", &keep.bodyBytes)
            }
        }
    }

    // MARK: Values

    /// Reads the settings of a mapping, each by its name; those that there are not are reported.
    private mutating func settings(
        _ node: Node,
        of home: SettingHome,
        _ read: (_ reader: inout Self, _ name: String, _ value: Node) -> Void
    ) {
        let known = home.settings(self.policySchema)
        guard let mapping = node.mapping else {
            let on = home == .inbox ? "be on, or " : ""
            return self.report(node, "“\(home.rawValue)” has to \(on)have settings: \(known.joined(separator: ", ")).")
        }
        for (key, value) in mapping {
            guard let name = key.string, known.contains(name) else {
                self.reportUnknown(key, in: home)
                continue
            }
            read(&self, name, value)
        }
    }

    private mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ node: Node,
        _ name: String,
        _ choice: inout Choice
    ) {
        if let value = node.scalar.flatMap({ Choice(rawValue: $0.string) }) {
            choice = value
            return
        }
        let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        self.report(node, "“\(name)” has to be one of \(names).")
    }

    private mutating func texts(_ node: Node, _ name: String) -> [String] {
        self.list(node, name, atMost: 64).compactMap { self.text($0, name) }
    }

    /// Reads a number within the bounds that the control API has for a member.
    private mutating func bounded(_ node: Node, _ member: String, _ number: inout Int) {
        let name = member.replacing("_", with: "-").split(separator: ".").last.map(String.init) ?? member
        let range = InboxSettings.bounds.first { $0.field == member }?.range ?? 0...Int.max
        number = self.number(node, name, in: range, unit: Self.unit(endOf: name)) ?? number
    }

    /// The unit that a setting counts, which its name ends with.
    private static func unit(endOf name: String) -> TypedDuration.Count? {
        TypedDuration.Count(rawValue: String(name.split(separator: "-").last ?? ""))
    }

    /// Where a member is, as `verify.secret-file` or `paths[2]`, or the nearest thing around it.
    private func node(_ place: String, in node: Node) -> Node {
        var found = node
        for part in place.split(whereSeparator: { ".[]".contains($0) }) {
            guard let next = Int(part).map({ found.sequence?[$0] }) ?? found.mapping?[String(part)] else { break }
            found = next
        }
        return found
    }
}
