#include "broker/fanout/outbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

namespace weir {
namespace {

const Encoding kPlain{Form::kChannel, false};

FramePtr frame_of(const std::string& data, std::optional<std::chrono::milliseconds> retry = {}) {
  Message message;
  message.data = data;
  message.retry = retry;
  return Frame::of_message(message, "news", "gepoch000.1", std::make_shared<FrameBytes>());
}

// What a socket gets that takes `piece` bytes at a time.
std::string send_all(Outbox& outbox, std::size_t piece) {
  std::string sent;
  while (!outbox.empty()) {
    const std::string_view bytes = outbox.next().substr(0, piece);
    sent.append(bytes);
    outbox.on_sent(bytes.size());
  }
  outbox.clear();
  return sent;
}

TEST(Outbox, SendsOwnBytesInTheOrderTheyCame) {
  for (const std::size_t piece : {1U, 3U, 100U}) {
    Outbox outbox;
    outbox.begin("head ");
    outbox.append("first ");
    outbox.append("second");
    EXPECT_EQ(send_all(outbox, piece), "head first second");
  }
}

TEST(Outbox, SendsTheRestOfATornFrameBeforeWhatWasAppendedSince) {
  const FramePtr frame = frame_of("0123456789");
  const std::string_view bytes = bytes_of(*frame, kPlain, "news");
  for (std::size_t taken = 1; taken < bytes.size(); ++taken) {
    Outbox outbox;
    outbox.keep_rest(frame, bytes, bytes.substr(taken), kPlain);
    outbox.append("later");
    EXPECT_EQ(send_all(outbox, 4), std::string(bytes.substr(taken)) + "later") << taken;
  }
}

TEST(Outbox, ARestBeginsWithTheClientsOwnRetryDigits) {
  const FramePtr frame = frame_of("0123456789", std::chrono::milliseconds(1'000));
  for (const Encoding encoding : {kPlain, Encoding{Form::kChannel, true}}) {
    const std::string_view bytes = bytes_of(*frame, encoding, "news");
    Batch batch;
    batch.add(*frame, encoding, "news");
    batch.write_retries(0xffffffff);
    const std::string own(batch.bytes());
    ASSERT_NE(own, bytes);
    for (std::size_t taken = 1; taken < own.size(); ++taken) {
      Outbox outbox;
      outbox.keep_rest(frame, bytes, std::string_view(own).substr(taken), encoding);
      outbox.append("later");
      EXPECT_EQ(send_all(outbox, 2), own.substr(taken) + "later") << taken;
    }
  }
}

TEST(Outbox, CountsTheMemoryThatNoLogHolds) {
  Outbox outbox;
  EXPECT_EQ(outbox.own_bytes(), 0U);
  outbox.append(std::string(1'000, 'x'));
  EXPECT_GE(outbox.own_bytes(), 1'000U);
  send_all(outbox, 1'000);
  EXPECT_EQ(outbox.own_bytes(), 0U);

  const FramePtr frame = frame_of(std::string(5'000, 'x'));
  const std::string_view bytes = bytes_of(*frame, kPlain, "news");
  outbox.keep_rest(frame, bytes, bytes.substr(1), kPlain);
  EXPECT_EQ(outbox.frame_bytes_beside_logs(), frame->held_bytes());
  frame->enter_log();
  EXPECT_EQ(outbox.frame_bytes_beside_logs(), 0U);
  frame->leave_log();
  outbox.clear();
  EXPECT_EQ(outbox.frame_bytes_beside_logs(), 0U);
}

}  // namespace
}  // namespace weir
