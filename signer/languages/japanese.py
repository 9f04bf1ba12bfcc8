"""Japanese."""

from collections.abc import Mapping

from signer.languages.messages import Message

MESSAGES: Mapping[Message, str] = {
    Message.TITLE: "{purpose}:資産 {asset}、ネットワーク {network}、送金元 {source}",
    Message.WITHDRAWAL: "出金",
    Message.GATHER: "集約",
    Message.TOP_UP: "手数料の補充",
    Message.SWEEP: "コールドウォレットへの移動",
    Message.REFILL: "ホットウォレットへの補充",
    Message.GOVERNANCE: "ガバナンス変更",
    Message.PAYS: "支払額 {amount}",
    Message.TO: "宛先 {address} [{owner}]",
    Message.OUTSIDE: "外部のアドレス",
    Message.HOT: "当社のホットウォレット",
    Message.COLD: "当社のコールド金庫",
    Message.DEPOSIT: "当社の入金アドレス",
    Message.CHANGE: "お釣り {amount}",
    Message.IN_ALL: "合計 {amount}",
    Message.FEE: "手数料は最大 {amount}",
    Message.NONCE: "{address} の nonce {nonce}",
    Message.INTENT: "支払指示 {intent}:依頼者 {requester}、承認者 {approvers}",
    Message.NOBODY: "なし",
    Message.CHECK_WORDS: "確認語:{words}",
    Message.POLICY: "ポリシー {code}:{text}",
    Message.CAPS: "上限内です",
    Message.DESTINATIONS: "すべての宛先が許可されています",
    Message.APPROVALS: "すべての支払いに必要な承認があります",
    Message.FEES: "手数料は上限内です",
    Message.LOOK_ALIKE: "!!! 類似アドレスの警告:{address}",
    Message.LOOK_ALIKE_KNOWN: "!!! 既知の {address} ではありません:全文字を照合してください",
    Message.SAFE: "Safe {address}、バージョン {version}、nonce {nonce}",
    Message.EXECUTES: "Safe {name} を実行、{address}",
    Message.CONTRACT: "トークン {symbol}、小数 {decimals} 桁、コントラクト {address}",
    Message.REPLACES: "以前この署名器が nonce {nonce} で署名した内容を置き換えます",
    Message.REPLACES_PAYMENTS: "同じ支払いの以前の取引(手数料 {fee})を置き換えます",
    Message.SIGN: "この内容のとおりに署名しますか?",
    Message.SIGN_LOOK_ALIKE: "既知のアドレスに似た別の宛先があります。それでも署名しますか?",
    Message.YES: "はい",
    Message.ANSWERS: "[はい/N]",
}
