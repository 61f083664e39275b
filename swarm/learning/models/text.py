"""text: hashed words, an embedding, their mean, a hidden layer; for one text per example.

Words are hashed, so peers need not agree on a vocabulary, and no words travel with the session.
"""

from typing import Any

from swarm.learning.backend import keras

NUM_WORDS = 400
"""Words of a text that are used; the rest is cut."""
NUM_BINS = 1 << 13
"""Rows of the embedding. Words that share one are taken for the same word."""
UNITS = 32
WORD_GAP = r"[^\p{L}\p{N}']+"


@keras.saving.register_keras_serializable(package="swarm")
class HashedWords(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """Texts (n,) to ids of words (n, num_words), in 1..num_bins - 1; 0 fills up.

    Keras has layers that split into words and layers that hash, but none that does both.
    """

    def __init__(
        self, num_words: int = NUM_WORDS, num_bins: int = NUM_BINS, **options: Any
    ) -> None:
        super().__init__(trainable=False, **options)
        self._num_words = num_words
        self._num_bins = num_bins

    def call(self, texts: Any) -> Any:
        """Lower case, split at everything but letters, digits and apostrophes, hash."""
        import tensorflow as tf  # noqa: PLC0415 - only TensorFlow has tensors of texts

        lower = tf.strings.lower(tf.reshape(texts, (-1,)), "utf-8")
        words = tf.strings.split(tf.strings.regex_replace(lower, WORD_GAP, " "))
        ids = tf.strings.to_hash_bucket_fast(words, self._num_bins - 1) + 1
        return tf.cast(ids.to_tensor(shape=(None, self._num_words)), tf.int32)

    def compute_output_spec(self, texts: Any) -> Any:
        """Shape (n, num_words), int32."""
        return keras.KerasTensor((texts.shape[0], self._num_words), "int32")

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`, for `.keras` files."""
        own = {"num_words": self._num_words, "num_bins": self._num_bins}
        return {**super().get_config(), **own}


def build(input_shape: tuple[int, ...], num_outputs: int) -> Any:
    """Embedding of 32, mean over words, dense 32, dense. Outputs are logits."""
    layers = keras.layers
    texts = keras.Input(input_shape, dtype="string", name="text")
    ids = HashedWords(name="words")(texts)
    vectors = layers.Embedding(NUM_BINS, UNITS, mask_zero=True, name="embedding")(ids)
    mean = layers.GlobalAveragePooling1D(name="mean")(vectors)
    hidden = layers.Dense(UNITS, activation="relu", name="hidden")(mean)
    return keras.Model(texts, layers.Dense(num_outputs, name="logits")(hidden), name="text")
