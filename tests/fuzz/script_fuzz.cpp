// Reads a script of the demo publisher and stamps its messages. Claims that what is published is JSON, in order of
// time, and that a stamp changes nothing but the stamped object.
#include <cassert>
#include <string>

#include "fuzz_input.h"
#include "proto/envelope.h"
#include "publishers/demo/script_file.h"
#include "publishers/demo/stamp.h"

namespace weir {
namespace {

void check_stamp(const std::string& payload) {
  const auto place = stamp_place(payload);
  if (!place) return;
  const std::string with_stamp = stamped(payload, *place, 1'796'019'746'836);
  assert(is_json(payload) == is_json(with_stamp));
  assert(!stamp_place(with_stamp));
  const Message before = parse_payload(payload, EnvelopeMode::kAuto);
  const Message after = parse_payload(with_stamp, EnvelopeMode::kAuto);
  assert(before.type == after.type && before.id == after.id && before.is_end == after.is_end);
  assert(before.data != after.data && before.data_kind == after.data_kind);
}

void check_script(std::string_view text) {
  const auto script = parse_script(text);
  if (!script) {
    assert(script.error().message.find('\n') == std::string::npos);
    return;
  }
  assert(!script->empty());
  std::chrono::microseconds last{0};
  for (const Step& step : *script) {
    assert(step.at >= last && step.at <= kScriptTimeMax);
    assert(is_json(step.payload) && text.find(step.payload) != std::string_view::npos);
    last = step.at;
    check_stamp(step.payload);
  }
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = weir::FuzzInput(data, size).rest();
  weir::check_script(text);
  weir::check_stamp(std::string(text));
  return 0;
}
