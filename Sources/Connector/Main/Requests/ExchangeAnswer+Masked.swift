// SPDX-License-Identifier: Apache-2.0

import Inspection

extension ExchangeSummary {
    /// The line with a mask in place of each secret.
    var masked: ExchangeSummary {
        var summary = self
        summary.query = self.query.map(SecretNames.maskedMembers)
        return summary
    }
}

extension ExchangeAnswer {
    /// The exchange with a mask in place of each secret, which the inspector's API gives whole.
    var masked: ExchangeAnswer {
        var answer = self
        answer.url = self.url.map(SecretNames.maskedTarget)
        answer.request = self.request.masked
        answer.response = self.response?.masked
        answer.interim = self.interim.map { interim in
            var interim = interim
            interim.fields = MessageAnswer.masked(fields: interim.fields)
            return interim
        }
        return answer
    }
}

extension MessageAnswer {
    /// The message with a mask in place of each secret, and without the bytes that hold them all.
    var masked: MessageAnswer {
        var message = self
        message.uri = self.uri.map(SecretNames.maskedTarget)
        message.line = Self.masked(line: self.line)
        message.fields = Self.masked(fields: self.fields)
        message.trailers = self.trailers.map(Self.masked(fields:))
        for (name, values) in self.headers { message.headers[name] = values.map { SecretNames.masked(name, $0) } }
        message.raw = nil
        return message
    }

    /// A start line as it may be shown.
    static func masked(line: String) -> String {
        line.split(separator: " ", omittingEmptySubsequences: false)
            .map { SecretNames.maskedTarget(String($0)) }.joined(separator: " ")
    }

    /// Names and values as they may be shown.
    static func masked(fields: [[String]]) -> [[String]] {
        fields.map { $0.count == 2 ? [$0[0], SecretNames.masked($0[0], $0[1])] : $0 }
    }
}
