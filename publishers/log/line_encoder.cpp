#include "publishers/log/line_encoder.h"

#include "proto/envelope.h"
#include "proto/text.h"

namespace weir {

LineEncoder::LineEncoder(const std::string& file, bool passes_json)
    : member_(file.empty() ? "" : ",\"file\":" + json_string(file)), passes_json_(passes_json) {}

std::string LineEncoder::encode(const Line& line) const {
  if (passes(line)) return line.text;
  std::string message = encode_line(line);
  if (!member_.empty()) message.insert(message.size() - 1, member_);
  return message;
}

bool LineEncoder::can_be_cut(const Line& line) const { return !passes(line); }

bool LineEncoder::passes(const Line& line) const {
  if (!passes_json_ || line.continues) return false;
  return trim(line.text).starts_with('{') && is_utf8(line.text) && is_json(line.text) &&
         !parse_payload(line.text, EnvelopeMode::kAuto).is_end;
}

}  // namespace weir
