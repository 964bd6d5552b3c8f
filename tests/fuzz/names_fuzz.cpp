// Checks everything that a client writes into a URL or a header and that the gateway acts on: channel names,
// patterns, percent escapes, event ids, queries and Accept headers.
#include <algorithm>
#include <cassert>
#include <string>
#include <vector>

#include "broker/api/access.h"
#include "broker/api/query.h"
#include "fuzz_input.h"
#include "proto/channel_name.h"
#include "proto/event_id.h"
#include "proto/position.h"
#include "proto/stream_id.h"
#include "proto/text.h"

namespace weir {
namespace {

bool contains_only(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

void check_name(std::string_view text) {
  constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@-";
  const bool is_good = !text.empty() && text.size() <= 128 && contains_only(text, kCharacters) &&
                       text.substr(0, 2) != "__" && text.substr(0, 5) != "weir:" && text != "." &&
                       text != "..";
  assert(is_channel_name(text) == is_good);
  if (is_good) assert(percent_decode(text) == std::string(text));
}

std::string escape_all(std::string_view text) {
  constexpr char kDigits[] = "0123456789aBcDeF";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    (escaped += '%') += kDigits[byte >> 4];
    escaped += kDigits[byte & 15];
  }
  return escaped;
}

void check_escapes(std::string_view text) {
  if (const auto decoded = percent_decode(text)) {
    assert(decoded->size() <= text.size());
    const bool has_escape = text.find('%') != std::string_view::npos;
    if (!has_escape) assert(*decoded == text);
    // An escape never makes a control character: each one was in the text itself.
    const auto controls = [](std::string_view of) {
      return std::count_if(of.begin(), of.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    };
    assert(controls(*decoded) == controls(text));
  }
  const bool has_control =
      std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  const auto back = percent_decode(escape_all(text));
  assert(back.has_value() == !has_control);
  if (back) assert(*back == text);
}

// Matches by the definition, in a table with a row for each character of the pattern. Column n says whether
// the pattern so far matches the name's first n characters.
bool matches_by_table(std::string_view pattern, std::string_view name) {
  std::vector<bool> row(name.size() + 1, false);
  row[0] = true;
  for (const char p : pattern) {
    bool diagonal = row[0];
    row[0] = row[0] && p == '*';
    for (std::size_t n = 1; n <= name.size(); ++n) {
      const bool above = row[n];
      row[n] = p == '*' ? above || row[n - 1] : diagonal && p == name[n - 1];
      diagonal = above;
    }
  }
  return row[name.size()];
}

void check_pattern(std::string_view pattern, std::string_view name) {
  assert(matches_pattern(pattern, name) == matches_by_table(pattern, name));
  assert(matches_pattern("*", name));
  if (name.find('*') == std::string_view::npos) {
    assert(matches_pattern(name, name));
    assert(matches_pattern(std::string(name.substr(0, name.size() / 2)) + '*', name));
  }
}

void check_id(std::string_view text) {
  if (const auto id = parse_event_id(text)) {
    assert(text.size() <= kEventIdBytesMax);
    // It says what it was made from.
    const std::string position = format_event_id(id->epoch, id->sequence);
    assert(text.starts_with(position) && (text.size() == position.size() || text[position.size()] == '~'));
    const auto again = parse_event_id(position);
    assert(again && again->epoch == id->epoch && again->sequence == id->sequence);
  }
  if (is_end_id(text)) assert(text.ends_with("~end") && !is_own_id(text));
  if (!is_own_id(text)) return;
  assert(text.size() <= 64 && text.find_first_of("\r\n\0:\"", 0, 5) == std::string_view::npos);
  for (const bool is_end : {false, true}) {
    const std::string id = format_event_id("abcd1234", 18'446'744'073'709'551'615u, text, is_end);
    const auto parsed = parse_event_id(id);
    assert(id.size() <= kEventIdBytesMax && parsed && parsed->epoch == "abcd1234");
    assert(parsed->sequence == 18'446'744'073'709'551'615u && is_end_id(id) == is_end);
  }
}

// A position in a stream survives a composite id; of a durable channel's birth that keeps the time.
void check_position(std::string_view text) {
  if (const auto id = parse_stream_id(text)) assert(format_stream_id(*id) == text);
  const auto position = parse_position(text);
  if (!position) return;
  assert(text.size() <= kCompositeIdBytesMax);
  const std::vector<std::string> channels{"a", "b", "news"};
  for (const std::string& channel : channels) {
    if (const auto its = position->of(channel, /*is_durable=*/false, channels)) {
      const CompositePart part{channel, *its, /*is_durable=*/false};
      const auto again = parse_position(format_composite_id({&part, 1}, {}));
      const auto same = again ? again->of(channel, /*is_durable=*/false, channels) : std::nullopt;
      assert(same && same->id == its->id);
    }
    if (const auto its = position->of(channel, /*is_durable=*/true, channels); its && !its->is_short) {
      const CompositePart part{channel, *its, /*is_durable=*/true};
      const auto again = parse_position(format_composite_id({&part, 1}, {}));
      const auto same = again ? again->of(channel, /*is_durable=*/true, channels) : std::nullopt;
      assert(same && same->is_short && same->id.n == its->id.n);
      assert(time_of_birth(same->id.ms) == time_of_birth(its->id.ms));
    }
  }
}

void check_query(std::string_view text) {
  const auto parameters = parse_query(text);
  if (!parameters) {
    assert(text.find('%') != std::string_view::npos);
    return;
  }
  assert(parameters->size() <= text.size());
  for (const auto& [name, value] : *parameters) {
    assert(name.size() + value.size() <= text.size());
    // Encoding the decoded text again gives the same parameter.
    const auto again = parse_query(escape_all(name) + "=" + escape_all(value));
    const bool has_control =
        std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (!has_control) assert(again && again->size() == 1 && again->front() == std::pair(name, value));
  }
}

void check_headers(std::string_view text) {
  const AcceptedStream accepted = read_accept(std::string(text));
  if (accepted.is_named) assert(accepted.is_accepted);
  const AcceptedStream refused = read_accept(std::string("text/event-stream;q=0, ") + std::string(text));
  assert(!refused.is_named && !refused.is_accepted);
  assert(!is_loopback_host(std::string(text) + ".example.com"));
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::FuzzInput input(data, size);
  const std::string_view first = input.until('\n');
  const std::string_view rest = input.rest();
  for (const std::string_view text : {first, rest}) {
    weir::check_name(text);
    weir::check_escapes(text);
    weir::check_id(text);
    weir::check_position(text);
    weir::check_query(text);
    weir::check_headers(text);
  }
  weir::check_pattern(first, rest);
  return 0;
}
