// Reads the entries of a Redis Stream, as XRANGE, XREVRANGE and XREAD give them: [id, [field, value, ...]].
//
// A durable channel's entry has the fields `p`, the payload, and `t`, the time. In a followed stream the
// field StreamSource::data_field is the payload, and `type` the type. An entry without that field becomes a
// JSON object of all its fields, in their order, each value a string. Where a field is repeated the last one
// counts.
//
// Threads: any; pure functions.
// Limits:  An entry is too large if payload and type are longer than `bytes_max`, or if the bulk string of
//          one of them, or all its fields, were discarded (oversize_filter.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/bus/streams.h"

struct redisReply;

namespace weir {

// Returns nullopt if `reply` is no entry.
std::optional<StreamEntry> stream_entry_of(const redisReply& reply, const StreamSource& source,
                                           std::size_t bytes_max);

// The same for an array of them. A nil, the answer of an XREAD that found nothing, is none.
std::optional<std::vector<StreamEntry>> stream_entries_of(const redisReply& reply, const StreamSource& source,
                                                          std::size_t bytes_max);

// The bytes of all fields and values of an entry: what it weighs in a reply. A discarded one weighs nothing.
std::size_t stream_entry_bytes(const redisReply& reply);
// The largest of an array of entries.
std::size_t largest_stream_entry(const redisReply& entries);

// An element of XREAD's answer: [key, entries].
struct StreamNews {
  std::string_view key;
  const redisReply* entries;
};
// Returns nullopt if there is no such element. Valid as long as `reply`.
std::optional<StreamNews> stream_news_of(const redisReply& reply, std::size_t element);

}  // namespace weir
