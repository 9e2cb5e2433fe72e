// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore

extension ExchangeFilter.Test {
    func matches(_ view: ExchangeView, now: NIODeadline) -> Bool {
        let state = view.exchange.state
        switch self {
        case .method(let method): return view.method.uppercased() == method
        case .status(let range): return view.status.map(range.contains) ?? false
        case .path(let glob): return glob.matches(view.path)
        case .tunnel(let name): return view.exchange.tunnel == name
        case .type(let part):
            return view.response?.mediaType?.contains(part) ?? false || view.request.mediaType?.contains(part) ?? false
        case .header(let name, let value): return Self.hasField(view, name, value)
        case .body(let text):
            let text = Array(text.utf8)
            return Self.contains(state.request.body.kept, text) || Self.contains(state.response?.body.kept ?? [], text)
        case .size(let comparison):
            return comparison.matches(Double(state.request.body.size + (state.response?.body.size ?? 0)))
        case .time(let comparison):
            let time = view.duration ?? view.exchange.span(to: now)
            return comparison.matches(Double(time.nanoseconds) / 1_000)
        case .isReplay: return view.exchange.replayOf != nil
        case .isError: return view.failure != nil && state.ending != .open || (view.status ?? 0) >= 500
        case .isOpen: return state.ending == .open
        case .isWebSocket: return state.kind == .websocket
        case .isEvents: return state.kind == .events
        case .isCut: return !view.isWhole
        case .from(let prefix): return view.visitor?.hasPrefix(prefix) ?? false
        case .text(let text): return view.target.lowercased().contains(text)
        }
    }

    private static func hasField(_ view: ExchangeView, _ name: String, _ value: String?) -> Bool {
        (view.request.fields + (view.response?.fields ?? [])).contains { field in
            field.name.asciiLowercased() == name && (value.map { field.value.lowercased().contains($0) } ?? true)
        }
    }

    /// Whether the bytes hold the text.
    private static func contains(_ bytes: [UInt8], _ text: [UInt8]) -> Bool {
        guard let first = text.first else { return true }
        return bytes.withUnsafeBufferPointer { bytes in
            var start = 0
            while bytes.count - start >= text.count {
                guard let index = bytes[start...(bytes.count - text.count)].firstIndex(of: first) else { return false }
                if bytes[index..<index + text.count].elementsEqual(text) { return true }
                start = index + 1
            }
            return false
        }
    }
}
