"""A small binary student with everything that makes training delicate, its teachers and its data."""

import larq as lq
import numpy as np
import tensorflow as tf

CLASSES = 4
SHAPE = (8, 8, 3)


def data(count=16, seed=0):
    """Images, and labels that their mean colour tells."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    return (random.normal(size=(count, *SHAPE)) + labels[:, None, None, None]).astype(np.float32), labels


IMAGES, LABELS = data()


def fit(model, *callbacks, images=IMAGES, labels=LABELS, **options):
    """Trains in batches of 8, always in the same order, and returns what was logged."""
    options = {"batch_size": 8, "shuffle": False, "verbose": 0, **options}
    return model.fit(images, labels, callbacks=callbacks, **options).history


def student(seed=0, name="student", activation=None, **compile_options):
    """A compiled network of one binary convolution, batch normalization, dropout and a penalty."""
    tf.keras.utils.set_random_seed(seed)
    image = tf.keras.Input(SHAPE)
    x = lq.layers.QuantConv2D(
        8,
        3,
        padding="same",
        use_bias=False,
        input_quantizer="ste_sign",
        kernel_quantizer="ste_sign",
        kernel_constraint="weight_clip",
        name="conv",
    )(image)
    x = tf.keras.layers.BatchNormalization(name="bn")(x)
    x = tf.keras.layers.Dropout(0.3)(x)
    x = tf.keras.layers.GlobalAveragePooling2D()(x)
    x = tf.keras.layers.Dense(CLASSES, kernel_regularizer=tf.keras.regularizers.L2(0.01), name="head")(x)
    if activation:
        x = tf.keras.layers.Activation(activation)(x)
    model = tf.keras.Model(image, x, name=name)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None)
    model.compile(
        **{"optimizer": tf.keras.optimizers.Adam(0.01), "loss": loss, "metrics": ["accuracy"], **compile_options}
    )
    return model


def frozen_student(**options):
    """A student that stays where it starts, without dropout's noise: so its losses can be worked out outside."""
    return without_dropout(student(optimizer=tf.keras.optimizers.SGD(0.0), **options))


def without_dropout(model):
    next(layer for layer in model.layers if isinstance(layer, tf.keras.layers.Dropout)).rate = 0.0
    return model


def gaps_of(model, teacher, images=IMAGES):
    """Cross-entropies per example, in NumPy; batches of 8 as in `fit`, for batch normalization's sake."""
    start = model.get_weights()
    logits = np.concatenate([model(batch, training=True).numpy() for batch in np.split(images, len(images) // 8)])
    model.set_weights(start)
    outputs = teacher.predict(images, verbose=0).astype(float)
    probabilities = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    logits = logits.astype(float)
    log_student = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -(probabilities * log_student).sum(axis=1)


def penalty_of(model):
    return 0.01 * float(np.sum(np.square(model.get_layer("head").kernel)))


def linear(name, seed=1, classes=CLASSES, input_shape=SHAPE, activation=None, **options):
    """A teacher that is quick."""
    initializer = tf.keras.initializers.RandomNormal(stddev=0.3, seed=seed)
    image = tf.keras.Input(input_shape)
    x = tf.keras.layers.Flatten()(image)
    x = tf.keras.layers.Dense(classes, activation, kernel_initializer=initializer, **options)(x)
    return tf.keras.Model(image, x, name=name)


def weights(model):
    """All of a model's weights and those of its optimizer."""
    return [*model.get_weights(), *(variable.numpy() for variable in model.optimizer.variables)]


def assert_bitwise_equal(left, right):
    for one, other in zip(weights(left), weights(right), strict=True):
        np.testing.assert_array_equal(one, other)
